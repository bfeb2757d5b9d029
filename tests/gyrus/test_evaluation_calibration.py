"""Temperature and the limit of distances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyrus.evaluation.calibration import conformal_limit, fit_temperature, log_loss, softmax


def too_sure() -> tuple[np.ndarray, np.ndarray]:
    """Logits three times as large as they should be, and the classes drawn from the right ones."""
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, (4000, 3)).astype(np.float32)
    drawn = softmax(honest).cumsum(1) > rng.random((4000, 1))
    return honest * 3, np.eye(3, dtype=np.bool_)[drawn.argmax(1)]


def test_temperature_finds_the_factor_by_which_logits_are_too_sure() -> None:
    logits, allowed = too_sure()
    assert fit_temperature(logits, allowed) == pytest.approx(3, rel=0.1)


def test_labels_that_allow_several_classes_tell_the_temperature_too() -> None:
    logits, allowed = too_sure()
    allowed[:, 1] = allowed[:, 2] = allowed[:, 1] | allowed[:, 2]
    assert fit_temperature(logits, allowed) == pytest.approx(3, rel=0.1)


def test_loss_is_that_of_the_summed_probability() -> None:
    probabilities = np.array([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]], np.float32)
    allowed = np.array([[True, True, False], [False, False, True]])
    assert log_loss(probabilities, allowed) == pytest.approx(-np.log([0.75, 0.7]).mean())


@given(st.integers(100, 2000), st.integers(0, 2**32 - 1))
def test_at_most_one_in_a_hundred_lies_beyond_the_conformal_limit(n: int, seed: int) -> None:
    distances = np.random.default_rng(seed).random(n).astype(np.float32)
    limit = conformal_limit(distances, np.arange(n).astype(np.str_), error=0.01)
    assert np.mean(distances > limit) <= 0.01
    assert np.mean(distances >= limit) > 0.01 - 2 / n


def slices(rng: np.random.Generator, patients: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances and patients of 1 to 19 slices each, which resemble each other."""
    counts = rng.integers(1, 20, patients)
    groups = np.repeat(np.arange(patients), counts)
    own = rng.normal(size=patients)[groups]
    return (own + rng.normal(0, 0.3, len(groups))).astype(np.float32), groups.astype(np.str_)


def test_the_limit_holds_for_patients_that_it_was_not_set_on() -> None:
    rng = np.random.default_rng(0)
    beyond = []
    for _ in range(200):
        limit = conformal_limit(*slices(rng, 120), error=0.05)
        distances, groups = slices(rng, 120)
        beyond.append(np.mean([np.mean(distances[groups == one] > limit) for one in set(groups)]))
    assert np.mean(beyond) < 0.05 + 2 * np.std(beyond) / np.sqrt(len(beyond))
    assert np.mean(beyond) > 0.03

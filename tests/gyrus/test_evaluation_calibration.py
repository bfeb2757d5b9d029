"""Temperature."""

import numpy as np
import pytest

from gyrus.evaluation.calibration import fit_temperature, log_loss, softmax


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

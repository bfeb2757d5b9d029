"""Thresholds and a distance limit that hold error rates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gyrus.evaluation.calibration import fit_temperature, softmax
from gyrus.evaluation.outcomes import tumour_probability
from gyrus.evaluation.thresholds import (
    FALSE_ALARM_ALPHA,
    MOST_UNCERTAIN,
    STRANGE_ALPHA,
    choose_thresholds,
    group_rate,
    limit_distance,
)
from gyrus.recipe import MISS_RATE

RESPLITS = 200


def draw(
    groups: int, *, skill: float, seed: int = 0, tumours: float = 0.6
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tumour probabilities, truth and groups of one to five images, alike within a group."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 6, groups)
    truth = np.repeat(rng.random(groups) < tumours, sizes)
    level = np.repeat(rng.normal(0, 1, groups), sizes) + rng.normal(0, 0.5, sizes.sum())
    probability = 1 / (1 + np.exp(-(level + skill * np.where(truth, 1, -1))))
    return probability, truth, np.repeat(np.arange(groups), sizes).astype(np.str_)


@pytest.mark.parametrize(
    ("pool", "calibration", "skill"),
    [(900, 300, 2.5), (900, 300, 1.9), (400, 100, 2.2), (200, 40, 2.5), (900, 300, 4.0)],
)
def test_both_rates_are_held_over_many_resplits(pool: int, calibration: int, skill: float) -> None:
    tumour, truth, groups = draw(pool, skill=skill)
    rng = np.random.default_rng(1)
    misses, alarms, uncertain = [], [], []
    for _ in range(RESPLITS):
        chosen = rng.permutation(pool)[:calibration].astype(np.str_)
        calibrates = np.isin(groups, chosen)
        found = choose_thresholds(tumour[calibrates], truth[calibrates], groups[calibrates])
        p, t, g = tumour[~calibrates], truth[~calibrates], groups[~calibrates]
        between = (p >= found.threshold) & (p < found.upper_threshold)
        uncertain.append(group_rate(between, g) - MOST_UNCERTAIN)
        assert found.misses.held is not None
        misses.append(group_rate((p < found.threshold)[t], g[t]) - found.misses.held)
        if found.false_alarms.held is not None:
            alarmed = group_rate((p >= found.upper_threshold)[~t], g[~t])
            alarms.append(alarmed - found.false_alarms.held)
    assert len(alarms) > RESPLITS / 2
    for excess in (misses, alarms, uncertain):
        assert np.mean(excess) <= 3 * np.std(excess) / np.sqrt(len(excess))


def test_misses_are_held_although_the_temperature_comes_from_the_same_images() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 600)
    logits = (3 * (rng.normal(size=(600, 4)) + 3 * np.eye(4)[labels])).astype(np.float32)
    allowed, truth, groups = np.eye(4, dtype=np.bool_)[labels], labels > 0, np.arange(600)
    excess = []
    for _ in range(RESPLITS // 2):
        order = rng.permutation(600)
        calibrates, tests = order[:200], order[200:]
        temperature = fit_temperature(logits[calibrates], allowed[calibrates])
        tumour = tumour_probability(softmax(logits / temperature), [1, 2, 3])
        found = choose_thresholds(
            tumour[calibrates], truth[calibrates], groups[calibrates].astype(np.str_)
        )
        excess.append(np.mean(tumour[tests][truth[tests]] < found.threshold) - MISS_RATE)
    assert np.mean(excess) <= 3 * np.std(excess) / np.sqrt(len(excess))
    assert np.mean(excess) > -0.012  # it is not held by calling all a tumour


def test_of_what_can_be_told_apart_nothing_is_uncertain() -> None:
    tumour = np.array([0.1, 0.2, 0.9, 0.95])
    truth = np.array([False, False, True, True])
    found = choose_thresholds(tumour, truth, np.array(list("abcd")))
    assert found.threshold == found.upper_threshold == pytest.approx(0.55)
    shifted = choose_thresholds(tumour / 10, truth, np.array(list("abcd")))
    assert shifted.threshold == shifted.upper_threshold == pytest.approx(0.055)


def test_few_groups_hold_the_least_that_they_can() -> None:
    tumour, truth, groups = draw(30, skill=1.0)
    found = choose_thresholds(tumour, truth, groups)
    assert found.misses.groups == len(set(groups[truth].tolist())) < 30
    assert found.misses.held == 1 / (found.misses.groups + 1) > found.misses.asked == MISS_RATE
    assert found.threshold < tumour[truth].min()


def test_a_band_that_is_too_wide_is_cut_and_lets_false_alarms_go() -> None:
    tumour, truth, groups = draw(400, skill=0.7)
    found = choose_thresholds(tumour, truth, groups)
    assert (found.misses.held, found.false_alarms.held) == (MISS_RATE, None)
    between = (tumour >= found.threshold) & (tumour < found.upper_threshold)
    assert 0.05 < group_rate(between, groups) <= MOST_UNCERTAIN


@pytest.mark.parametrize(("count", "uncertain"), [(8, False), (18, False), (19, True)])
def test_very_few_groups_have_one_threshold(count: int, uncertain: bool) -> None:
    tumour = np.linspace(0.1, 0.9, count)
    truth = np.arange(count) % 2 == 0  # all mixed up
    found = choose_thresholds(tumour, truth, np.arange(count).astype(np.str_))
    assert (found.threshold < found.upper_threshold) == uncertain
    assert found.false_alarms.held is None


def test_a_group_counts_once_however_many_images_it_has() -> None:
    rng = np.random.default_rng(0)
    tumour = np.concatenate([rng.uniform(0.6, 1, 300), [0.1], rng.uniform(0, 0.3, 300)])
    truth = np.arange(601) < 301
    groups = np.arange(601).astype(np.str_)
    once = choose_thresholds(tumour, truth, groups)
    copied = np.concatenate([[300] * 50, np.arange(601)])
    assert choose_thresholds(tumour[copied], truth[copied], groups[copied]) == once


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 1e-7, 0.2, 0.5, 0.8, float(np.float32(0.9999999)), 1.0])
            | st.floats(0, 1, width=32),
            st.booleans(),
            st.integers(0, 20),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_thresholds_keep_what_they_say_on_what_they_were_chosen_on(
    rows: list[tuple[float, bool, int]],
) -> None:
    tumour = np.array([row[0] for row in rows])
    truth = np.array([row[1] for row in rows])
    groups = np.array([str(row[2]) for row in rows])
    found = choose_thresholds(tumour, truth, groups)
    assert 0 <= found.threshold <= found.upper_threshold
    for wrong, of, risk in (
        (tumour < found.threshold, truth, found.misses),
        (tumour >= found.upper_threshold, ~truth, found.false_alarms),
    ):
        assert risk.groups == len(set(groups[of].tolist()))
        if risk.groups and risk.held is not None:
            n = risk.groups
            assert (n * group_rate(wrong[of], groups[of]) + 1) / (n + 1) <= risk.held + 1e-9
    assert found.false_alarms.asked == FALSE_ALARM_ALPHA


@given(st.integers(100, 2000), st.integers(0, 2**32 - 1))
def test_at_most_one_in_fifty_lies_beyond_the_distance_limit(n: int, seed: int) -> None:
    distances = np.random.default_rng(seed).random(n).astype(np.float32)
    limit, risk = limit_distance(distances, np.arange(n).astype(np.str_))
    assert risk.held == risk.asked == STRANGE_ALPHA
    assert STRANGE_ALPHA - 2 / n < np.mean(distances > limit) <= STRANGE_ALPHA


def slices(rng: np.random.Generator, patients: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances and patients of 1 to 19 slices each, which resemble each other."""
    counts = rng.integers(1, 20, patients)
    groups = np.repeat(np.arange(patients), counts)
    own = rng.normal(size=patients)[groups]
    return (own + rng.normal(0, 0.3, len(groups))).astype(np.float32), groups.astype(np.str_)


@pytest.mark.parametrize("patients", [120, 20])
def test_the_limit_holds_for_patients_that_it_was_not_set_on(patients: int) -> None:
    rng = np.random.default_rng(0)
    beyond = []
    for _ in range(RESPLITS):
        limit, risk = limit_distance(*slices(rng, patients))
        distances, groups = slices(rng, 120)
        beyond.append(group_rate(distances > limit, groups))
    assert risk.held == max(STRANGE_ALPHA, 1 / (patients + 1))
    assert np.mean(beyond) < risk.held + 2 * np.std(beyond) / np.sqrt(len(beyond))
    assert np.mean(beyond) > risk.held / 2


def test_who_may_miss_more_has_a_higher_threshold_that_holds_it() -> None:
    tumour, truth, groups = draw(400, skill=0.7)
    strict, lax = (choose_thresholds(tumour, truth, groups, miss_rate=one) for one in (0.02, 0.2))
    assert strict.threshold < lax.threshold
    assert (lax.misses.asked, lax.misses.held) == (0.2, 0.2)

"""The figures of a model and their intervals, against scikit-learn and against simple cases."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from gyrus.errors import InvalidDataset
from gyrus.evaluation.folds import OUTCOMES, pool
from gyrus.evaluation.measures import binary_figures, evaluate
from gyrus.evaluation.outcomes import Outcomes, called_right, decisions
from gyrus.evaluation.resampling import draws
from tests.gyrus.outcomes import CLASSES, RULE, draw_outcomes


@settings(deadline=None)
@given(
    arrays.arrays(np.float64, st.integers(2, 40), elements=st.sampled_from([0, 0.2, 0.5, 0.9, 1])),
    st.integers(0, 2**32 - 1),
)
def test_weighted_figures_are_those_of_scikit_learn(scores: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.random(len(scores)) < 0.5
    truth[:2] = [True, False]
    weights = rng.integers(0, 4, (3, len(scores))).astype(np.float64)
    weights[:, :2] += 1
    figures = binary_figures(truth, scores, weights)
    for row, weight in enumerate(weights):
        expected = {
            "auroc": roc_auc_score(truth, scores, sample_weight=weight),
            "auprc": average_precision_score(truth, scores, sample_weight=weight),
            "brier": brier_score_loss(truth, scores, sample_weight=weight),
        }
        for name, value in expected.items():
            assert figures[name][row] == pytest.approx(value), name


def test_calibration_error_of_a_model_that_is_too_sure() -> None:
    truth = np.arange(10) < 6
    figures = binary_figures(truth, np.full(10, 0.95), np.ones((1, 10)))
    assert figures["calibration_error"] == pytest.approx(0.35)


def test_figures_of_folds_are_those_of_all_their_images_each_by_its_own_rule() -> None:
    first, second = draw_outcomes(120, seed=1), draw_outcomes(80, seed=2)
    second = replace(second, groups=np.char.add("other", second.groups))
    strict = RULE.model_copy(update={"threshold": 0.55})
    together = evaluate((first, RULE), (second, strict)).tumour
    alone = [evaluate((first, RULE)).tumour, evaluate((second, strict)).tumour]
    assert together.images == 200
    assert together.groups == sum(one.groups for one in alone)
    counts = [(one.images, one.uncertain) for one in alone]
    expected = sum(images * share.value for images, share in counts if share is not None) / 200
    assert together.uncertain is not None
    assert together.uncertain.value == pytest.approx(expected, abs=1e-4)


def test_outcomes_are_kept_with_the_rule_that_decides(tmp_path: Path) -> None:
    outcomes = draw_outcomes(30)
    outcomes.save(tmp_path / OUTCOMES, RULE, "a digest")
    found, rule = Outcomes.load(tmp_path / OUTCOMES, "a digest")
    assert rule == RULE
    for name, value in vars(outcomes).items():
        assert np.array_equal(getattr(found, name), value), name
        kind = getattr(found, name).dtype
        assert kind == value.dtype or kind.kind == value.dtype.kind == "U", name
    pooled = pool({"1/1": tmp_path}, "a digest")
    assert pooled.folds["1/1"] == pooled.together == evaluate((outcomes, RULE))
    with pytest.raises(InvalidDataset, match="of another dataset"):
        pool({"1/1": tmp_path}, "another digest")
    (tmp_path / OUTCOMES).write_bytes(b"none of ours")
    with pytest.raises(InvalidDataset, match=OUTCOMES):
        pool({"1/1": tmp_path}, "a digest")


def test_figures_are_plain_counts() -> None:
    outcomes = draw_outcomes(200)
    found = evaluate((outcomes, RULE))
    tumour = outcomes.probabilities[:, [0, 1, 3]].sum(1)
    called = tumour >= RULE.threshold
    sure = outcomes.distances <= RULE.distance_limit
    expected = {
        "accuracy": np.mean(outcomes.probabilities.argmax(1) == outcomes.labels),
        "sensitivity": np.mean(called[outcomes.truth]),
        "specificity": np.mean(~called[~outcomes.truth]),
        "precision": np.mean(outcomes.truth[called]),
        "miss_rate": np.mean((~called & sure)[outcomes.truth]),
        "false_alarm_rate": np.mean(
            (tumour >= RULE.upper_threshold)[~outcomes.truth] & sure[~outcomes.truth]
        ),
        "uncertain": np.mean(~sure | (called & (tumour < RULE.upper_threshold))),
    }
    known = found.tumour.estimates()
    for name, value in expected.items():
        assert known[name].value == pytest.approx(value, abs=1e-5), name
        assert known[name].low <= known[name].value <= known[name].high
    hits = np.sum(called & outcomes.truth)
    f1 = 2 * hits / (called.sum() + outcomes.truth.sum())
    assert known["f1"].value == pytest.approx(f1, abs=1e-5)
    glioma = found.classes["glioma"]
    assert glioma.sensitivity is not None
    right = (outcomes.probabilities.argmax(1) == 0)[outcomes.labels == 0]
    assert glioma.sensitivity.value == pytest.approx(right.mean(), abs=1e-5)
    assert glioma.uncertain is None
    assert list(found.classes) == CLASSES
    assert {name: one.images for name, one in found.sources.items()} == {"one": 100, "other": 100}


@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_decisions_are_those_that_are_served(
    seed: int, one: float, other: float, limit: float
) -> None:
    low, high = sorted((one, other))
    rule = RULE.model_copy(
        update={"threshold": low, "upper_threshold": high, "distance_limit": limit}
    )
    outcomes = draw_outcomes(20, seed=seed)
    served = [
        rule.decide(dict(zip(CLASSES, probabilities.tolist(), strict=True)), float(distance))
        for probabilities, distance in zip(outcomes.probabilities, outcomes.distances, strict=True)
    ]
    assert decisions(outcomes, rule).tolist() == served


def test_images_of_several_possible_classes_count_only_for_tumour_or_not() -> None:
    outcomes = draw_outcomes(300)
    vague = outcomes.truth & (np.arange(300) < 150)
    allowed = outcomes.allowed | (vague[:, None] & (np.arange(4) != 2))
    found = evaluate((replace(outcomes, allowed=allowed), RULE))
    exact = evaluate((outcomes, RULE))
    assert found.tumour.auroc == exact.tumour.auroc
    assert found.tumour.miss_rate == exact.tumour.miss_rate
    assert found.classes["glioma"].images == 300 - vague.sum()


def test_accuracy_is_of_all_images_as_far_as_their_labels_go() -> None:
    allowed = {"glioma": [0], "yes": [0, 1, 3], "unknown": [], "notumor": [2]}
    labels = ["glioma", "glioma", "yes", "yes", "unknown", "unknown", "notumor", "notumor"]
    outcomes = replace(
        draw_outcomes(8),
        probabilities=np.eye(4, dtype=np.float32)[[0, 3, 1, 2, 1, 2, 2, 0]],
        allowed=np.array([np.isin(np.arange(4), allowed[label]) for label in labels]),
        truth=np.array(labels) != "notumor",
    )
    assert called_right(outcomes, RULE).tolist() == [True, False] * 4
    found = evaluate((outcomes, RULE))
    assert found.tumour.accuracy is not None
    assert found.tumour.accuracy.value == 0.5
    assert {name: one.images for name, one in found.classes.items()} == {"glioma": 4, "notumor": 4}


def test_intervals_are_wider_where_few_groups_have_many_images() -> None:
    outcomes = draw_outcomes(50)
    rows = np.repeat(np.arange(50), 8)
    copied = outcomes.of(rows)  # eight copies of each
    alone = evaluate((replace(copied, groups=np.arange(400).astype(np.str_)), RULE)).tumour.auroc
    grouped = evaluate((copied, RULE)).tumour.auroc
    single = evaluate((outcomes, RULE)).tumour.auroc
    assert alone and grouped and single
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)
    assert (grouped.low, grouped.high) == pytest.approx((single.low, single.high), abs=0.01)


def test_perfect_shares_have_an_interval_too() -> None:
    perfect = evaluate((draw_outcomes(60, skill=50, groups=20), RULE)).tumour
    assert perfect.auroc and perfect.auroc.value == 1
    assert perfect.sensitivity and perfect.miss_rate
    assert perfect.sensitivity.value == perfect.sensitivity.high == 1
    assert 0.80 < perfect.sensitivity.low < 0.87  # 0.025 ** (1 / 20) = 0.83
    assert perfect.miss_rate.low == 0
    assert perfect.miss_rate.high == pytest.approx(1 - perfect.sensitivity.low)


def test_interval_of_a_guess_holds_one_half() -> None:
    auroc = evaluate((draw_outcomes(400, skill=0), RULE)).tumour.auroc
    assert auroc and auroc.low < 0.5 < auroc.high


def test_what_the_images_cannot_tell_is_left_open() -> None:
    outcomes = draw_outcomes(40)
    found = evaluate((outcomes.of(outcomes.labels == 0), RULE))
    assert found.tumour.auroc is found.tumour.specificity is found.tumour.false_alarm_rate is None
    assert found.tumour.sensitivity is not None
    assert list(found.classes) == ["glioma"]
    assert "auroc" not in found.flat()


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_few_images_have_figures_as_far_as_they_go(count: int, groups: int, seed: int) -> None:
    found = evaluate((draw_outcomes(count, groups=groups, seed=seed), RULE))
    for metrics in (found.tumour, *found.classes.values(), *found.sources.values()):
        for one in metrics.estimates().values():
            assert 0 <= one.low <= one.value <= one.high <= 1


def test_groups_are_drawn_whole_and_as_many_as_there_are() -> None:
    groups = np.array(list("aaabbcdddd"))
    [weights] = draws(groups, count=50)
    assert (weights[:, 0] == weights[:, 2]).all() and (weights[:, 6] == weights[:, 9]).all()
    assert (weights[:, [0, 3, 5, 6]].sum(1) == 4).all()


def test_a_thousand_draws_of_a_thousand_images_take_seconds() -> None:
    outcomes = draw_outcomes(1000, groups=700)
    started = time.process_time()
    evaluate((outcomes, RULE))
    assert time.process_time() - started < 20

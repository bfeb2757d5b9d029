"""The figures of a model: tumour or not, by class and by source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gyrus.bundle import Rule
from gyrus.evaluation.calibration import BINS, bins_of
from gyrus.evaluation.outcomes import (
    Doubles,
    Flags,
    Names,
    Outcomes,
    called_right,
    decisions,
    tumour_scores,
)
from gyrus.evaluation.resampling import Weights, estimates, never_seen
from gyrus.metrics import Evaluation, Metrics

Figures = dict[str, NDArray[np.float64]]
Share = tuple[Flags, Flags]
"""How many of the second are of the first: of the tumours, those that were found."""


@dataclass(frozen=True)
class _Answers:
    """Outcomes, and of each image (N,) what the rule makes of them.

    That is the probability of a tumour, whether it is found, whether the likeliest class is right,
    the decision, and whether the image is beyond the distance limit.
    """

    outcomes: Outcomes
    scores: Doubles
    called: Flags
    right: Flags
    said: Names
    far: Flags

    def of(self, rows: Flags) -> "_Answers":
        outcomes, *columns = vars(self).values()
        return _Answers(outcomes.of(rows), *(column[rows] for column in columns))


def evaluate(*parts: tuple[Outcomes, Rule]) -> Evaluation:
    """All figures of a model and the rule by which it decides.

    Of several, such as those of folds, that are asked about different images but have the same
    classes, the figures over all images. Images whose label does not say which class they are of
    count only where tumour or not is asked.
    """
    answers = _answers(parts)
    outcomes, classes = answers.outcomes, parts[0][1].classes
    known = outcomes.of(outcomes.labels >= 0)
    names = np.unique(outcomes.sources)
    by_source = {name: answers.of(outcomes.sources == name) for name in names.tolist()}
    present = {name: index for index, name in enumerate(classes) if index in known.labels}
    return Evaluation(
        tumour=_tumour(answers),
        classes={name: _one_class(known, index) for name, index in present.items()},
        sources={name: _tumour(one) for name, one in by_source.items() if len(names) > 1},
    )


def _answers(parts: Sequence[tuple[Outcomes, Rule]]) -> _Answers:
    scores = [tumour_scores(*part) for part in parts]
    pairs = zip(scores, parts, strict=True)
    return _Answers(
        outcomes=Outcomes.joined([outcomes for outcomes, _ in parts]),
        scores=np.concatenate(scores),
        called=np.concatenate([score >= rule.threshold for score, (_, rule) in pairs]),
        right=np.concatenate([called_right(*part) for part in parts]),
        said=np.concatenate([decisions(*part) for part in parts]),
        far=np.concatenate([one.distances > rule.distance_limit for one, rule in parts]),
    )


def by_score(truth: Flags, scores: Doubles, weights: Weights) -> tuple[Doubles, Doubles]:
    """The weight (B, U) of what is `truth`, and of what is not, at each score, highest first."""
    order = np.argsort(-scores)
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.inf))
    ordered = weights[:, order]
    positive = np.add.reduceat(ordered * truth[order], starts, axis=1)
    return positive, np.add.reduceat(ordered * ~truth[order], starts, axis=1)


def binary_figures(truth: Flags, scores: Doubles, weights: Weights) -> Figures:
    """What weighted images (B, N) tell of probabilities `scores` of what is `truth` (N,).

    AUROC, AUPRC (the average precision), Brier score (1950) and the expected calibration error
    (Naeini et al. 2015); each (B,), and NaN where one side of `truth` is missing.
    """
    positive, negative = by_score(truth, scores, weights)
    positives, negatives, total = positive.sum(1), negative.sum(1), weights.sum(1)
    found = positive.cumsum(1)
    precision = found / np.maximum(found + negative.cumsum(1), 1e-9)
    outranked = negatives[:, None] - negative.cumsum(1) + negative / 2
    errors = truth - scores
    gaps = weights @ (np.eye(BINS)[bins_of(scores)] * errors[:, None])
    with np.errstate(invalid="ignore"):
        auprc = (positive * precision).sum(1) / positives
        return {
            "auroc": (positive * outranked).sum(1) / (positives * negatives),
            "auprc": np.where(negatives > 0, auprc, np.nan),
            "brier": weights @ errors**2 / total,
            "calibration_error": np.abs(gaps).sum(1) / total,
        }


def _tumour(answers: _Answers) -> Metrics:
    outcomes, said = answers.outcomes, answers.said
    truth = outcomes.truth
    everything = np.ones_like(truth)
    shares = {
        "accuracy": (answers.right, everything),
        "miss_rate": (said == "no_tumour", truth),
        "false_alarm_rate": (said == "tumour", ~truth),
        "uncertain": (said == "uncertain", everything),
        "too_far": (answers.far, everything),
    }
    return _metrics(outcomes.groups, truth, answers.scores, answers.called, shares)


def _one_class(outcomes: Outcomes, index: int) -> Metrics:
    truth, called = outcomes.labels == index, outcomes.probabilities.argmax(1) == index
    scores = outcomes.probabilities[:, index].astype(np.float64)
    shares = {"accuracy": (truth == called, np.ones_like(truth))}
    return _metrics(outcomes.groups, truth, scores, called, shares)


def _metrics(
    groups: Names, truth: Flags, scores: Doubles, called: Flags, more: Mapping[str, Share]
) -> Metrics:
    shares = {
        "sensitivity": (called, truth),
        "specificity": (~called, ~truth),
        "precision": (truth, called),
        **more,
    }

    def figures(weights: Weights) -> Figures:
        with np.errstate(invalid="ignore"):
            found = {
                name: weights @ (kind & among) / (weights @ among)
                for name, (kind, among) in shares.items()
            }
            hits = weights @ (called & truth)
            found["f1"] = 2 * hits / (weights @ called + weights @ truth)
        return found | binary_figures(truth, scores, weights)

    known = estimates(figures, groups)
    for name in shares.keys() & known.keys():
        known[name] = never_seen(known[name], shares[name][1], groups)
    return Metrics(images=len(truth), groups=len(np.unique(groups)), **known)

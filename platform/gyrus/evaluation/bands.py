"""ROC and precision-recall curves, with the band in which those of other patients would lie."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gyrus.evaluation.measures import by_score
from gyrus.evaluation.outcomes import Doubles, Flags, Names
from gyrus.evaluation.resampling import TAILS, Weights, draws

GRID = np.linspace(0, 1, 201)


@dataclass(frozen=True)
class Curve:
    """Points (x, y), and the percentiles `low` and `high` of y at each of `GRID`."""

    x: Doubles
    y: Doubles
    low: Doubles
    high: Doubles


Points = Callable[[Weights], tuple[Doubles, Doubles]]
"""From weights (B, N) to x and y (B, U), x rising."""


def roc_curve(truth: Flags, scores: Doubles, groups: Names) -> Curve:
    """Sensitivity (y) by 1 - specificity (x); its band is vertical (Fawcett 2006)."""

    def points(weights: Weights) -> tuple[Doubles, Doubles]:
        positive, negative = by_score(truth, scores, weights)
        return _shares(negative), _shares(positive)

    return _with_band(points, groups)


def precision_recall_curve(truth: Flags, scores: Doubles, groups: Names) -> Curve:
    """Precision (y) by sensitivity (x)."""

    def points(weights: Weights) -> tuple[Doubles, Doubles]:
        positive, negative = by_score(truth, scores, weights)
        found, called = positive.cumsum(1), (positive + negative).cumsum(1)
        precision = found / np.maximum(called, 1e-9)
        # Nothing is called yet where the curve starts: it starts as it goes on.
        first = np.take_along_axis(precision, (called > 0).argmax(1)[:, None], 1)
        precision = np.where(called > 0, precision, first)
        return _shares(positive), np.hstack([first, precision])

    return _with_band(points, groups)


def _shares(counts: Doubles) -> Doubles:
    """What of all was met so far, (B, U + 1): from 0 to 1."""
    with np.errstate(invalid="ignore"):
        met = counts.cumsum(1) / counts.sum(1, keepdims=True)
    return np.hstack([np.zeros((len(counts), 1)), met])


def _with_band(points: Points, groups: Names) -> Curve:
    drawn = [
        np.interp(GRID, x, y)
        for weights in draws(groups)
        for x, y in zip(*points(weights), strict=True)
        if np.isfinite(x).all() and np.isfinite(y).all()  # a draw without tumours has no curve
    ]
    x, y = points(np.ones((1, len(groups))))
    low, high = np.percentile(drawn, TAILS, axis=0)
    return Curve(x[0], y[0], low, high)

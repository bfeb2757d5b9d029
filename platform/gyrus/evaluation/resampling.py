"""The bootstrap: figures as they are, and as they would be of other patients.

It draws whole groups, for images of one patient and copies of one image are not independent. A draw
is a weight for each image, so that a figure of all draws is a few operations on one matrix.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from gyrus.evaluation.outcomes import Flags, Names
from gyrus.metrics import ROUNDED, Estimate

Weights = NDArray[np.float64]
Figure = Callable[[Weights], Mapping[str, NDArray[np.float64]]]
"""From weights (B, N) of N images to figures (B,), which may be NaN."""

RESAMPLES = 1000
"""Draws behind each 95 % interval."""

BLOCK = 2_000_000
"""At most so many weights at a time."""

TAILS = (2.5, 97.5)


def draws(groups: Names, *, count: int = RESAMPLES, seed: int = 0) -> Iterator[Weights]:
    """`count` draws of groups with replacement, as weights (B, N) of their N images."""
    names, inverse = np.unique(groups, return_inverse=True)
    rng = np.random.default_rng(seed)
    block = max(1, BLOCK // len(groups))
    for start in range(0, count, block):
        shape = (min(block, count - start), len(names))
        drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), shape[0])
        yield drawn[:, inverse].astype(np.float64)


def estimates(figure: Figure, groups: Names) -> dict[str, Estimate]:
    """Each figure that the images have, with the percentiles of those of the draws."""
    values = figure(np.ones((1, len(groups))))
    drawn = [figure(weights) for weights in draws(groups)]
    found = {}
    for name, [value] in values.items():
        if not np.isnan(value):
            low, high = np.nanpercentile(np.concatenate([one[name] for one in drawn]), TAILS)
            # The calibration error of a draw is larger than that of what it was drawn from.
            found[name] = estimate(value, min(low, value), max(high, value))
    return found


def estimate(value: float, low: float, high: float) -> Estimate:
    """An estimate, rounded."""
    rounded = (round(float(one), ROUNDED) for one in (value, low, high))
    return Estimate(**dict(zip(("value", "low", "high"), rounded, strict=True)))


def never_seen(one: Estimate, among: Flags, groups: Names) -> Estimate:
    """A share's estimate, with an interval also where nothing, or all, is of the kind.

    Every draw is alike there. The bound is the binomial one (Clopper & Pearson 1934) of as many
    trials as there are groups.
    """
    error = (TAILS[0] / 100) ** (1 / len(np.unique(groups[among])))
    if one.low == one.high == 1:
        return estimate(1, error, 1)
    if one.low == one.high == 0:
        return estimate(0, 0, 1 - error)
    return one

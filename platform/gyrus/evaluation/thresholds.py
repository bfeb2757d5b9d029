"""Limits that hold error rates: conformal risk control (Angelopoulos et al. 2022).

A rate is held to alpha if images like those of the calibration split, of patients not seen before,
are got wrong at alpha at most, on average over calibration splits. What is exchangeable are groups,
so the loss of a group is the mean over its images.
"""

from dataclasses import dataclass

import numpy as np

from gyrus.bundle import Risk
from gyrus.evaluation.outcomes import Doubles, Flags, Floats, Names
from gyrus.recipe import MISS_RATE

FALSE_ALARM_ALPHA = 0.05
"""So many healthy images are called `tumour` at most.

A false alarm costs another look and a miss a tumour, so about three times as many are borne; and a
calibration split with 19 healthy groups can hold it.
"""

MOST_UNCERTAIN = 0.10
"""The share of images between the two thresholds at most."""

STRANGE_ALPHA = 0.02
"""So many brain images are beyond the distance limit at most: taken for none."""

NEVER = 1 + 1e-6
"""Beyond every probability."""


@dataclass(frozen=True)
class Thresholds:
    """Below `threshold` the answer is `no_tumour`, from `upper_threshold` on `tumour`."""

    threshold: float
    upper_threshold: float
    misses: Risk
    false_alarms: Risk


def choose_thresholds(
    tumour: Doubles, truth: Flags, groups: Names, *, miss_rate: float = MISS_RATE
) -> Thresholds:
    """Thresholds of the probability of a tumour (N,) that hold both rates, as far as they can.

    `threshold` holds the miss rate. Where it may hold the false alarms too, there is one threshold,
    as near to 0.5 as both allow. Else what lies between the two is `uncertain`; where that were
    more than `MOST_UNCERTAIN`, `upper_threshold` is lower, and false alarms are not held. A split
    with too few groups holds the smallest rate that it can, 1/(groups + 1). Fewer than nine can
    promise no share of `uncertain`, and one group is too much of fewer than 19: with so few there
    is one threshold.
    """
    places = np.unique(np.append(tumour, [0, NEVER]))
    missed, of_tumour = _group_weights(truth, groups)
    alarmed, healthy = _group_weights(~truth, groups)
    misses = _smallest(miss_rate, of_tumour)
    false_alarms = _smallest(FALSE_ALARM_ALPHA, healthy)
    lower = _largest(tumour, missed, of_tumour, misses, places)
    upper = -_largest(-tumour, alarmed, healthy, false_alarms, -places[::-1])
    held: float | None = false_alarms
    if upper <= lower:
        lower = upper = float(np.clip(0.5, upper, lower))
    else:
        each, count = _group_weights(np.ones_like(truth), groups)
        between = each * (tumour >= lower)
        widest = max(lower, _largest(tumour, between, count, MOST_UNCERTAIN, places))
        if widest < upper:
            upper, held = widest, None
    return Thresholds(
        threshold=lower,
        upper_threshold=upper,
        misses=Risk(asked=miss_rate, held=misses, groups=of_tumour),
        false_alarms=Risk(asked=FALSE_ALARM_ALPHA, held=held, groups=healthy),
    )


def limit_distance(distances: Floats, groups: Names) -> tuple[float, Risk]:
    """The largest of `distances` (N,) that is not yet taken for no brain, and the rate it holds.

    For groups of one image it is the split-conformal quantile (Vovk et al. 2005); of too few groups
    for the rate it is the largest distance.
    """
    near = -distances.astype(np.float64)
    each, count = _group_weights(np.ones(len(groups), np.bool_), groups)
    held = _smallest(STRANGE_ALPHA, count)
    limit = -_largest(near, each, count, held, np.unique(near))
    return limit, Risk(asked=STRANGE_ALPHA, held=held, groups=count)


def group_rate(wrong: Flags, groups: Names) -> float:
    """The rate that is held: the mean over groups of the share of a group's images.

    `wrong` and `groups` are of images (N,).
    """
    each, count = _group_weights(np.ones_like(wrong), groups)
    return float(each @ wrong / count)


def _smallest(alpha: float, groups: int) -> float:
    """The rate that so many groups can hold, if not `alpha`."""
    return max(alpha, 1 / (groups + 1))


def _group_weights(among: Flags, groups: Names) -> tuple[Doubles, int]:
    """What each image (N,) adds to the summed mean of the groups `among` it, and their number."""
    _, inverse, sizes = np.unique(groups[among], return_inverse=True, return_counts=True)
    weights = np.zeros(len(groups))
    weights[among] = 1 / sizes[inverse]
    return weights, len(sizes)


def _largest(scores: Doubles, losses: Doubles, groups: int, alpha: float, places: Doubles) -> float:
    """The largest threshold below which the summed losses allow to promise `alpha`.

    It lies halfway between two of `places`, all scores that there are: rounding turns none.
    """
    order = np.argsort(scores)
    over = losses[order].cumsum() > alpha * (groups + 1) - 1 + 1e-9
    if not over.any():
        return float(places[-1])
    first = scores[order][over.argmax()]
    before = places[max(np.searchsorted(places, first) - 1, 0)]
    return float((before + first) / 2)

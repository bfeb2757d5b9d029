"""Whether heatmaps hit the tumours, where masks say where those are.

Two figures, of the map of an image's own class: the pointing game (Zhang et al. 2018), how often
its highest point is in the tumour, and the energy (Wang et al. 2020), which share of the map is.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gyrus.evaluation.outcomes import Floats, Labels, Names
from gyrus.evaluation.resampling import Weights, estimates, never_seen
from gyrus.metrics import TOLERANCE, Localisation

Mask = NDArray[np.uint8]
"""(rows, columns), of 0 and 1."""


def points(one: Floats, mask: Mask, tolerance: int = TOLERANCE) -> bool:
    """Whether the highest point of a map (h, w) is within `tolerance` pixels of its mask.

    A map of zeros points nowhere.
    """
    size = 2 * tolerance + 1
    near = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    return bool(one.any()) and bool(near.flat[_enlarge(one, mask).argmax()])


def energy(one: Floats, mask: Mask) -> float:
    """Which share of a map (h, w) is inside of its mask."""
    large = _enlarge(one, mask)
    return float((large * mask).sum() / max(large.sum(), 1e-12))


def localisation(
    maps: Floats, labels: Labels, masks: Iterable[Mask], groups: Names, classes: Sequence[str]
) -> dict[str, Localisation]:
    """How well heatmaps find each kind of tumour.

    The maps (N, K, h, w) are for the K `classes`; of each image that of its own label (N,) counts,
    held against its mask. Draws for the intervals are of `groups` (N,).
    """
    own = maps[np.arange(len(labels)), labels]
    hits, shares = np.array(
        [(points(*pair), energy(*pair)) for pair in zip(own, masks, strict=True)]
    ).T
    found: dict[str, Localisation] = {}
    for label in np.unique(labels).tolist():
        rows = labels == label
        figures = {"pointing": hits[rows], "energy": shares[rows]}

        def means(weights: Weights, figures: Mapping[str, Any] = figures) -> dict[str, Any]:
            return {name: weights @ one / weights.sum(1) for name, one in figures.items()}

        known = estimates(means, groups[rows])
        known["pointing"] = never_seen(known["pointing"], np.full(sum(rows), True), groups[rows])
        found[classes[label]] = Localisation(images=int(sum(rows)), **known)
    return found


def _enlarge(one: Floats, mask: Mask) -> NDArray[Any]:
    """A map in the size of its mask, as it is drawn."""
    rows, columns = mask.shape
    return cv2.resize(one, (columns, rows), interpolation=cv2.INTER_LINEAR)

"""Whether heatmaps hit the tumours, where masks say where those are.

Two figures, of the map of an image's own class: the pointing game (Zhang et al. 2018), how often
its highest point is in the tumour, and the energy (Wang et al. 2020), which share of the map is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gyrus.evaluation.outcomes import Floats, Names
from gyrus.evaluation.resampling import Weights, estimates, never_seen
from gyrus.metrics import Localisation

Masks = NDArray[np.uint8]
"""(N, rows, columns), of 0 and 1."""

TOLERANCE = 15
"""So many pixels beside the tumour still are a hit, as in the paper's game."""


def points(maps: Floats, masks: Masks, tolerance: int = TOLERANCE) -> NDArray[np.bool_]:
    """Whether the highest point of each map (N, h, w) is within `tolerance` pixels of its mask.

    A map of zeros points nowhere.
    """
    size = 2 * tolerance + 1
    near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.array(
        [
            bool(one.any()) and bool(cv2.dilate(mask, near).flat[_enlarge(one, mask).argmax()])
            for one, mask in zip(maps, masks, strict=True)
        ]
    )


def energies(maps: Floats, masks: Masks) -> Floats:
    """Which share of each map (N, h, w) is inside of its mask."""
    shares = []
    for one, mask in zip(maps, masks, strict=True):
        large = _enlarge(one, mask)
        shares.append((large * mask).sum() / max(large.sum(), 1e-12))
    return np.array(shares, np.float32)


def localisation(
    maps: Floats, classes: Sequence[str], masks: Masks, labels: Names, groups: Names
) -> dict[str, Localisation]:
    """How well heatmaps find each kind of tumour.

    The maps (N, K, h, w) are for the K `classes`; of each image that of its own label counts, held
    against its mask. Draws for the intervals are of groups.
    """
    found: dict[str, Localisation] = {}
    for index, name in enumerate(classes):
        rows = labels == name
        if not rows.any():
            continue
        own = maps[rows, index], masks[rows]
        figures = {"pointing": points(*own), "energy": energies(*own)}

        def means(weights: Weights, figures: Mapping[str, Any] = figures) -> dict[str, Any]:
            return {name: weights @ one / weights.sum(1) for name, one in figures.items()}

        known = estimates(means, groups[rows])
        known["pointing"] = never_seen(known["pointing"], np.full(sum(rows), True), groups[rows])
        found[name] = Localisation(images=len(own[0]), **known)
    return found


def _enlarge(one: Floats, mask: Masks) -> NDArray[Any]:
    """A map in the size of its mask, as it is drawn."""
    rows, columns = mask.shape
    return cv2.resize(one, (columns, rows), interpolation=cv2.INTER_LINEAR)

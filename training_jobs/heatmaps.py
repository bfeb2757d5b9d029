"""Whether heatmaps hit the tumours, where masks say where those are.

Two figures, of the map of an image's own class: the pointing game (Zhang et al. 2018), how often
its highest point is in the tumour, and the energy (Wang et al. 2020), which share of the map is.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gyrus.datasets import Dataset

Floats = NDArray[np.float32]

TOLERANCE = 15
"""So many pixels beside the tumour still are a hit, as in the paper's game."""

BATCH = 64


def points(maps: Floats, masks: NDArray[np.uint8], tolerance: int = TOLERANCE) -> NDArray[np.bool_]:
    """Whether the highest point of each map (N, h, w) is within `tolerance` pixels of its mask.

    The masks are (N, rows, columns), of 0 and 1. A map of zeros points nowhere.
    """
    size = 2 * tolerance + 1
    near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.array(
        [
            bool(one.any()) and bool(cv2.dilate(mask, near).flat[_enlarge(one, mask).argmax()])
            for one, mask in zip(maps, masks, strict=True)
        ]
    )


def energies(maps: Floats, masks: NDArray[np.uint8]) -> Floats:
    """Which share of each map (N, h, w) is inside of its mask (N, rows, columns)."""
    shares = []
    for one, mask in zip(maps, masks, strict=True):
        large = _enlarge(one, mask)
        shares.append((large * mask).sum() / max(large.sum(), 1e-12))
    return np.array(shares, np.float32)


def localisation(
    explain: Callable[[NDArray[np.uint8]], Floats], dataset: Dataset, rows: NDArray[np.int64]
) -> dict[str, float]:
    """Both figures of each kind of tumour, on those of `rows` that have a mask.

    `explain` makes maps (N, K, h, w) of images (N, 224, 224, 1). Without masks there are none.
    """
    if dataset.masks is None:
        return {}
    figures: dict[str, float] = {}
    for label in dataset.tumour_indices:
        chosen = rows[dataset.labels[rows] == label]
        chosen = chosen[dataset.masks[chosen].any(axis=(1, 2))]
        if not len(chosen):
            continue
        maps = np.concatenate(
            [
                explain(dataset.images[chosen[start : start + BATCH]][..., None])[:, label]
                for start in range(0, len(chosen), BATCH)
            ]
        )
        masks, name = dataset.masks[chosen], dataset.classes[label]
        figures[f"pointing_{name}"] = float(points(maps, masks).mean())
        figures[f"energy_{name}"] = float(energies(maps, masks).mean())
    return figures


def _enlarge(one: Floats, mask: NDArray[np.uint8]) -> NDArray[Any]:
    """A map in the size of its mask, as it is drawn."""
    rows, columns = mask.shape
    return cv2.resize(one, (columns, rows), interpolation=cv2.INTER_LINEAR)

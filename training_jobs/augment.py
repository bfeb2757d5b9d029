"""Augmentation: rotation, shift, zoom and flip as one affine warp, then gamma and brightness."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

SHIFT = 0.10


@dataclass(frozen=True)
class Strength:
    """How far images are turned, zoomed and lit at most, each way.

    `gamma` is the largest exponent, and one over the least: contrast as another scanner has it.
    """

    degrees: float
    zoom: float
    brightness: float
    gamma: float


WEAK = Strength(degrees=20, zoom=0.15, brightness=0.15, gamma=1)
"""For a model from scratch: under more of it, it hardly begins to learn."""

STRONG = Strength(degrees=30, zoom=0.3, brightness=0.3, gamma=2)
"""For a pretrained one, which would soon know its training images by heart."""

DRAWS = 7
"""So many random numbers say what becomes of an image."""


def augment(
    images: Sequence[NDArray[np.uint8]], draws: NDArray[np.float64], strength: Strength
) -> NDArray[np.uint8]:
    """Return moved and lit copies (n, rows, columns) of gray images, all of them of one size.

    `draws` (n, DRAWS) are even in [0, 1).
    """
    rows, columns = images[0].shape
    angle, zoom, right, down, light, gamma, flip = (2 * draws - 1).T  # even in [-1, 1)
    matrices = _affine(
        angle=np.deg2rad(strength.degrees) * angle,
        zoom=1 + strength.zoom * zoom,
        shift=np.stack([SHIFT * right * columns, SHIFT * down * rows], axis=1),
        flipped=flip > 0,
        center=np.array([(columns - 1) / 2, (rows - 1) / 2]),
    )
    exponents, gains = (strength.gamma**gamma)[:, None], (1 + strength.brightness * light)[:, None]
    levels = np.rint(255 * gains * np.linspace(0, 1, 256) ** exponents).clip(0, 255)
    tables = levels.astype(np.uint8)
    made = np.empty((len(images), rows, columns), np.uint8)
    # Each call lets other threads run, so fewer of them are faster.
    for image, matrix, table, out in zip(images, matrices, tables, made, strict=True):
        moved = cv2.warpAffine(image, matrix, (columns, rows), flags=cv2.INTER_LINEAR)
        cv2.LUT(moved, table, out)
    return made


def _affine(
    *,
    angle: NDArray[np.float64],
    zoom: NDArray[np.float64],
    shift: NDArray[np.float64],
    flipped: NDArray[np.bool_],
    center: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Matrices (n, 2, 3) that flip, turn and zoom (x, y) about `center`, and shift it then."""
    cosine, sine = zoom * np.cos(angle), zoom * np.sin(angle)
    turn = np.stack([np.stack([cosine, sine], 1), np.stack([-sine, cosine], 1)], 1)
    turn[:, :, 0] *= np.where(flipped, -1, 1)[:, None]
    return np.concatenate([turn, (center - turn @ center + shift)[:, :, None]], axis=2)

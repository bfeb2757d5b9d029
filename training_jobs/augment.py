"""Augmentation: rotation, shift, zoom and flip as one affine warp, then brightness, on uint8."""

import cv2
import numpy as np
from numpy.typing import NDArray

ROTATION_DEGREES = 20.0
SHIFT = 0.10
ZOOM = 0.15
BRIGHTNESS = 0.15


def augment(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a randomly moved and lit copy of a gray (rows, columns) image."""
    rows, columns = image.shape
    angle = rng.uniform(-ROTATION_DEGREES, ROTATION_DEGREES)
    zoom = rng.uniform(1 - ZOOM, 1 + ZOOM)
    matrix = cv2.getRotationMatrix2D(((columns - 1) / 2, (rows - 1) / 2), angle, zoom)
    matrix[0, 2] += rng.uniform(-SHIFT, SHIFT) * columns
    matrix[1, 2] += rng.uniform(-SHIFT, SHIFT) * rows
    if rng.random() < 0.5:
        mirror = np.array([[-1.0, 0.0, columns - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        matrix = matrix @ mirror
    moved = cv2.warpAffine(image, matrix, (columns, rows), flags=cv2.INTER_LINEAR)
    lit = cv2.convertScaleAbs(moved, alpha=rng.uniform(1 - BRIGHTNESS, 1 + BRIGHTNESS))
    return np.asarray(lit, np.uint8)

"""Smooth random fields and the pixel grid that everything is drawn on."""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

CANVAS = 256
"""Rows and columns of a drawn slice; half of them are one unit of length."""

Field = NDArray[np.float32]


def grid() -> tuple[Field, Field]:
    """The x (to the right) and y (downwards) of each pixel, each (256, 256), from -1 to 1."""
    axis = (np.arange(CANVAS, dtype=np.float32) + 0.5) / (CANVAS / 2) - 1
    x, y = np.meshgrid(axis, axis)
    return x, y


def smooth_noise(generator: Generator, cells: int) -> Field:
    """A (256, 256) field of about unit variance, whose bumps are 256/`cells` pixels wide."""
    coarse = generator.standard_normal((cells + 3, cells + 3)).astype(np.float32)
    size = round(CANVAS * (cells + 3) / cells)
    fine = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    start = (size - CANVAS) // 2
    return np.asarray(fine[start : start + CANVAS, start : start + CANVAS], dtype=np.float32)


def ellipse(x: Field, y: Field, centre: tuple[float, float], axes: tuple[float, float]) -> Field:
    """The normalised distance from an ellipse's centre: 1 on its border, less inside."""
    return np.asarray(
        np.hypot((x - centre[0]) / axes[0], (y - centre[1]) / axes[1]), dtype=np.float32
    )


def blur(field: Field, sigma: float) -> Field:
    """A Gaussian blur; `sigma` in pixels."""
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma), dtype=np.float32)

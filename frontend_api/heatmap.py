"""Draws a stored class activation map over the image that the model saw."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from gyrus.imaging import encode_png

ColorMap = Literal["inferno", "viridis", "jet", "gray"]

_CV2 = {
    "inferno": cv2.COLORMAP_INFERNO,
    "viridis": cv2.COLORMAP_VIRIDIS,
    "jet": cv2.COLORMAP_JET,
}


def read_cam(data: bytes, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """The stored maps, (classes, rows, columns), from little-endian float16."""
    return np.frombuffer(data, "<f2").astype(np.float32).reshape(shape)


def draw(thumbnail: bytes, cam: NDArray[np.float32], opacity: float, colormap: ColorMap) -> bytes:
    """A PNG of one map (rows, columns) over the thumbnail, which is our own gray PNG.

    The map is scaled to its own maximum. At opacity 1 only the map is seen.
    """
    gray = cv2.imdecode(np.frombuffer(thumbnail, np.uint8), cv2.IMREAD_GRAYSCALE)
    if gray is None:
        raise ValueError("the stored thumbnail is no PNG")
    rows, columns = gray.shape
    positive = np.nan_to_num(np.maximum(cam, 0))
    large = cv2.resize(positive, (columns, rows), interpolation=cv2.INTER_LINEAR)
    level = np.rint(large / max(float(large.max()), 1e-6) * 255).astype(np.uint8)
    if colormap == "gray":
        colored = cv2.cvtColor(level, cv2.COLOR_GRAY2BGR)
    else:
        colored = cv2.applyColorMap(level, _CV2[colormap])
    below = cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)
    blended = cv2.addWeighted(colored, opacity, below, 1 - opacity, 0)
    return encode_png(blended.astype(np.uint8))

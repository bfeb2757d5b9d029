"""Draws a stored class activation map over the image that the model saw."""

import io
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ColorMap = Literal["inferno", "viridis", "jet", "gray"]

# The page's own, in static/js/colormaps.js: evenly spaced colours of matplotlib's.
_STOPS = {
    "inferno": "000004 0b0724 210c4a 3d0965 57106e 71196e 8a226a a32c61 bc3754 "
    "d24644 e45a31 f1731d f98e09 fcac11 f9cb35 f2ea69 fcffa4",
    "viridis": "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c "
    "1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725",
    "jet": "000080 0000c8 0000ff 0040ff 0080ff 00c0ff 16ffe1 49ffad 7dff7a "
    "b1ff46 e4ff13 ffd000 ff9400 ff5900 ff1e00 c40000 800000",
    "gray": "000000 ffffff",
}


def read_cam(data: bytes, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """The stored maps, (classes, rows, columns), from little-endian float16."""
    return np.frombuffer(data, "<f2").astype(np.float32).reshape(shape)


def draw(thumbnail: bytes, cam: NDArray[np.float32], opacity: float, colormap: ColorMap) -> bytes:
    """A PNG of one map (rows, columns) over the thumbnail, which is our own gray PNG.

    The map is scaled to its own maximum. At opacity 1 only the map is seen.
    """
    gray = Image.open(io.BytesIO(thumbnail), formats=["PNG"]).convert("L")
    positive = np.nan_to_num(np.maximum(cam, 0)).astype(np.float32)
    large = np.asarray(Image.fromarray(positive).resize(gray.size, Image.Resampling.BILINEAR))
    level = np.rint(large / max(float(large.max()), 1e-6) * 255).astype(np.uint8)
    below = np.asarray(gray, np.float32)[..., np.newaxis]
    blended = opacity * _table(colormap)[level] + (1 - opacity) * below
    file = io.BytesIO()
    Image.fromarray(np.rint(blended).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def _table(colormap: ColorMap) -> NDArray[np.float32]:
    """256 colours, red, green and blue."""
    stops = np.array([list(bytes.fromhex(one)) for one in _STOPS[colormap].split()])
    places = np.linspace(0, len(stops) - 1, 256)
    channels = [np.interp(places, range(len(stops)), channel) for channel in stops.T]
    return np.stack(channels, axis=1).astype(np.float32)

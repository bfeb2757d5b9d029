"""Draws a stored class activation map over the image that the model saw."""

import io
import struct
from typing import Literal

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


def read_cam(data: bytes, shape: tuple[int, int, int], index: int) -> Image.Image:
    """One map out of (classes, rows, columns) little-endian float16; nothing in it is negative."""
    _, rows, columns = shape
    count = rows * columns
    cam = Image.new("F", (columns, rows))
    values = struct.unpack_from(f"<{count}e", data, 2 * count * index)
    cam.putdata([max(0.0, value) for value in values])
    return cam


def draw(thumbnail: bytes, cam: Image.Image, opacity: float, colormap: ColorMap) -> bytes:
    """A PNG of one map over the thumbnail, which is our own gray PNG.

    The map is scaled to its own maximum. At opacity 1 only the map is seen.
    """
    image = Image.open(io.BytesIO(thumbnail), formats=["PNG"]).convert("RGB")
    large = cam.resize(image.size, Image.Resampling.BILINEAR)
    top: float = large.getextrema()[1]  # type: ignore[assignment]  # it has one channel
    scale = 255 / max(top, 1e-6)
    level = large.point(lambda value: value * scale + 0.5).convert("L")
    level.putpalette(_palette(colormap))
    file = io.BytesIO()
    Image.blend(image, level.convert("RGB"), opacity).save(file, "PNG")
    return file.getvalue()


def _palette(colormap: ColorMap) -> bytes:
    """256 colours, red, green and blue."""
    stops = [bytes.fromhex(one) for one in _STOPS[colormap].split()]
    palette = bytearray()
    for level in range(256):
        place = level / 255 * (len(stops) - 1)
        left = min(int(place), len(stops) - 2)
        pairs = zip(stops[left], stops[left + 1], strict=True)
        palette += bytes(round(a + (place - left) * (b - a)) for a, b in pairs)
    return bytes(palette)

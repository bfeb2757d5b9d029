"""Gray images: how large they may be, and how numbers of any range become 256 shades."""

import numpy as np
from numpy.typing import NDArray

from gyrus.errors import CorruptImage, ImageTooLarge

Gray = NDArray[np.uint8]

MAX_PIXELS = 20_000_000
"""More pixels than this are never decoded."""

PERCENTILE_SAMPLE = 2_000_000
"""About so many pixels of a larger image are looked at to find its darkest and brightest."""


def check_size(columns: int, rows: int) -> None:
    """Refuse what a header tells of, before it is decoded.

    Raises:
        ImageTooLarge: there are more than `MAX_PIXELS`.
    """
    if columns * rows > MAX_PIXELS:
        raise ImageTooLarge(
            f"The image is {columns}×{rows} pixels; at most {MAX_PIXELS // 1_000_000} million are "
            "accepted. Send a smaller copy."
        )


def stretch(values: NDArray[np.float32]) -> Gray:
    """Map the 0.5th to 99.5th percentile of finite values to 0 to 255.

    Raises:
        CorruptImage: none is finite.
    """
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        raise CorruptImage("The image holds no numbers. Export it again.")
    sample = finite[:: max(1, finite.size // PERCENTILE_SAMPLE)]
    low, high = (float(value) for value in np.percentile(sample, (0.5, 99.5)))
    del finite, sample
    scaled = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    scaled -= low
    scaled *= 255 / max(high - low, 1e-6)
    scaled += 0.5
    return np.clip(scaled, 0, 255, out=scaled).astype(np.uint8)

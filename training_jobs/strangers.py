"""How well the distance tells pictures that are no brain MRI, drawn ones, from those that are."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gyrus.imaging import preprocess
from gyrus.phantom.strangers import strangers

DRAWN = 270
BATCH = 64


def share_refused(
    distances: Callable[[NDArray[np.uint8]], NDArray[np.float32]], limit: float
) -> float:
    """The share of drawn pictures beyond `limit`; `distances` are those of images (N, 224, 224, 1).

    The pictures are the same for every model, and none of them is used to fit anything.
    """
    images = np.stack([preprocess(picture)[0] for _, picture in strangers(DRAWN)])[..., None]
    parts = [distances(images[start : start + BATCH]) for start in range(0, DRAWN, BATCH)]
    return float(np.mean(np.concatenate(parts) > limit))

"""Small pictures of many images."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from gyrus.datasets.dataset import Dataset

TILE = 96
"""The side of an image in a montage, in pixels."""

COLUMNS = 9
EXAMPLES = 2 * COLUMNS


def examples(dataset: Dataset, source: str, label: str) -> NDArray[np.int64]:
    """Some rows of a label of a source, spread over the dataset and each of another group."""
    of_label = np.array(dataset.column("label")) == label
    rows = np.flatnonzero(of_label & (dataset.sources == source)).astype(np.int64)
    rows = rows[np.sort(np.unique(dataset.groups[rows], return_index=True)[1])]
    chosen = np.unique(np.linspace(0, len(rows) - 1, EXAMPLES).round().astype(int))
    return np.asarray(rows[chosen])


def montage(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The first of N images (N, 224, 224) in at most two rows; black where none is."""
    shown = images[:EXAMPLES]
    columns = max(min(len(shown), COLUMNS), 1)
    height = max(math.ceil(len(shown) / columns), 1)
    tiles = np.zeros((height * columns, TILE, TILE), dtype=np.uint8)
    for tile, image in zip(tiles, shown, strict=False):
        cv2.resize(image, (TILE, TILE), dst=tile, interpolation=cv2.INTER_AREA)
    grid = tiles.reshape(height, columns, TILE, TILE).transpose(0, 2, 1, 3)
    return grid.reshape(height * TILE, columns * TILE)

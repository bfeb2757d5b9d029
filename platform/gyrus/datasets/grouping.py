"""Which images belong together: copies by file, copies by pixels, near copies, one patient's."""

from collections.abc import Hashable, Iterable, Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

NEAR_BITS = 6
"""Difference hashes of near copies differ in at most so many of their 64 bits."""

NEAR_CORRELATION = 0.96
"""Thumbnails of near copies correlate at least so; some neighbouring slices do, too."""

THUMBNAIL = 32
BLOCK = 1024


def difference_hash(image: NDArray[np.uint8]) -> np.uint64:
    """The 64-bit difference hash (dHash): which cells of an 8×9 grid outshine their left one."""
    cells = cv2.resize(image, (9, 8), interpolation=cv2.INTER_AREA)
    bits = np.packbits(cells[:, 1:] > cells[:, :-1])
    return np.uint64(bits.view(np.uint64)[0])


def thumbnail(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A (1024,) float32 thumbnail with mean 0 and norm 1, whose dot product is a correlation."""
    small = cv2.resize(image, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    vector = small.astype(np.float32).ravel()
    vector -= vector.mean()
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-6), dtype=np.float32)


def near_copies(
    hashes: NDArray[np.uint64], thumbnails: NDArray[np.float32]
) -> Iterator[tuple[int, int]]:
    """Pairs of rows whose images nearly are the same: close hashes, and pixels that correlate."""
    for start in range(0, len(hashes), BLOCK):
        block = hashes[start : start + BLOCK, None]
        close = np.bitwise_count(block ^ hashes[None, start:]) <= NEAR_BITS
        first, second = np.nonzero(np.triu(close, 1))
        first, second = first + start, second + start
        correlation = np.einsum("ij,ij->i", thumbnails[first], thumbnails[second])
        near = correlation >= NEAR_CORRELATION
        yield from zip(first[near].tolist(), second[near].tolist(), strict=True)


def equal_keys(keys: Sequence[Hashable]) -> Iterator[tuple[int, int]]:
    """Pairs of rows that have the same key, unless it is empty."""
    first_row: dict[Hashable, int] = {}
    for row, key in enumerate(keys):
        if key:
            yield first_row.setdefault(key, row), row


def join(count: int, pairs: Iterable[tuple[int, int]]) -> list[str]:
    """The group of each of `count` rows (union-find), named by its first row."""
    parent = list(range(count))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for first, second in pairs:
        low, high = sorted((root(first), root(second)))
        parent[high] = low
    return [f"g{root(row):06d}" for row in range(count)]

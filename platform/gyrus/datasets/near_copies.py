"""Which images are copies of each other though their pixels differ.

A copy may have been packed again, resized, mirrored, or cropped by up to a twentieth at each side,
and its brightness may have changed a little. Perceptual hashes propose pairs, and each of these is
aligned and compared: many heads have a similar hash, but only copies have the same edges in the
same places, and only neighbouring slices of a head have nearly the same.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

HASH_BITS = 10
"""The hashes of copies, each seen in its best view, differ in at most so many of their 64 bits."""

SAME_WAVES = 0.88
"""So well the low frequencies of copies correlate."""

COPIES = 0.96
"""So well the edges of aligned copies correlate."""

NEIGHBOURS = 0.9
"""So well those of copies that lost detail and of neighbouring slices, and of no other images."""

CONTENT = 8
"""What is brighter is no padding."""

VIEW, HASHED, COMPARED = 64, 32, 48
"""Sides of what is seen of an image: the square that views are cut from, hashed, and compared."""

CUTS = (0, 2, 4)
"""So much of a `VIEW` is cut off at a side: nothing, 3 % or 6 %."""

VIEWS = tuple(product((False, True), CUTS, CUTS))
"""What is hashed of each image: mirrored or not, cut above and below, cut left and right."""

EDGE = 2.5
"""The standard deviation of the blur that is taken away to leave edges, in pixels of `COMPARED`."""

BANDS = 4
"""A hash is looked up by each of so many parts, of 16 bits."""

QUERIES = 1 << 15
"""So many hashes are looked up at a time, that memory stays small."""

STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-3)
WHOLE = np.ones((COMPARED, COMPARED), dtype=np.uint8)


class Sketches:
    """What is kept of each image to find its copies: frequencies and a thumbnail, 5 KB."""

    def __init__(self) -> None:
        self._waves: list[NDArray[np.float16]] = []
        self._thumbnails: list[NDArray[np.uint8]] = []

    def add(self, image: NDArray[np.uint8]) -> None:
        """Take in one more preprocessed image."""
        seen = _content(image)
        self._waves.append(waves(seen).astype(np.float16))
        self._thumbnails.append(_resize(seen, COMPARED))

    def candidates(self) -> NDArray[np.int64]:
        """Pairs of images that may be copies, (P, 3), the likeliest first.

        A row is a first image, a second, and the view in which the first looks like the second.
        """
        if not self._waves:
            return np.empty((0, 3), dtype=np.int64)
        seen = np.stack(self._waves)
        hashes = hashes_of(seen)
        query, second = within(hashes.ravel(), hashes[:, 0].copy(), HASH_BITS).T
        first, view = np.divmod(query, len(VIEWS))
        alike = _correlation(seen, first, view, second)
        order = np.argsort(-alike, kind="stable")
        order = order[(alike[order] >= SAME_WAVES) & (first[order] != second[order])]
        first, second, view = first[order], second[order], view[order]
        pair = np.minimum(first, second) * len(seen) + np.maximum(first, second)
        likeliest = np.sort(np.unique(pair, return_index=True)[1])
        return np.column_stack((first, second, view))[likeliest]

    def compare(self, candidates: Sequence[tuple[int, int, int]]) -> list[float]:
        """The `likeness` of the images of each candidate."""

        def compare(candidate: tuple[int, int, int]) -> float:
            first, second, view = candidate
            return likeness(self._thumbnails[first], self._thumbnails[second], view)

        with ThreadPoolExecutor(os.cpu_count()) as pool:  # OpenCV releases the GIL
            return list(pool.map(compare, candidates))


def waves(seen: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The 64 lowest frequencies of each view of an image, (V, 64), as vectors of norm 1."""
    square = _resize(seen, VIEW)
    found = np.empty((len(VIEWS), 8, 8), dtype=np.float32)
    for number, (mirrored, y, x) in enumerate(VIEWS):
        if mirrored:  # which negates the odd horizontal frequencies
            found[number] = found[number - len(VIEWS) // 2]
            found[number, :, 1::2] *= -1
        else:
            cut = square[y : VIEW - y, x : VIEW - x]
            found[number] = cv2.dct(_resize(cut, HASHED).astype(np.float32))[:8, :8]
    flat = found.reshape(len(VIEWS), 64)
    flat[:, 0] = 0  # its brightness
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6))


def hashes_of(waves: NDArray[np.float16]) -> NDArray[np.uint64]:
    """64-bit hashes of (…, 64) frequencies: which exceed their median (pHash, Zauner 2010)."""
    bits = waves > np.median(waves, axis=-1, keepdims=True)
    return np.packbits(bits, axis=-1).view(np.uint64)[..., 0]


def within(
    queries: NDArray[np.uint64], hashes: NDArray[np.uint64], radius: int
) -> NDArray[np.int64]:
    """All pairs of a query and a hash that differ in at most `radius` bits, (P, 2), in order.

    Multi-index hashing (Norouzi et al. 2012): one of the four parts of two such hashes differs in
    at most a quarter of `radius` bits, so that it is enough to look up all parts that do.
    """
    flips = [bits for bits in range(1 << 16) if bits.bit_count() <= radius // BANDS]
    parts = hashes.view(np.uint16).reshape(-1, BANDS)
    tables = [_Table(parts[:, band]) for band in range(BANDS)]
    found = [np.empty(0, dtype=np.int64)]
    for start in range(0, len(queries), QUERIES):
        block = queries[start : start + QUERIES]
        asked = block.view(np.uint16).reshape(-1, BANDS)
        close = [
            (start + query[near]) * len(hashes) + row[near]
            for band, table in enumerate(tables)
            for flip in flips
            for query, row in [table.find(asked[:, band] ^ np.uint16(flip))]
            for near in [np.bitwise_count(block[query] ^ hashes[row]) <= radius]
        ]
        found.append(np.unique(np.concatenate(close)))
    return np.column_stack(np.divmod(np.concatenate(found), max(len(hashes), 1)))


class _Table:
    """The rows that hold each 16-bit value."""

    def __init__(self, values: NDArray[np.uint16]) -> None:
        self._rows = np.argsort(values, kind="stable")
        self._counts = np.bincount(values, minlength=1 << 16)
        self._starts = np.cumsum(self._counts) - self._counts

    def find(self, values: NDArray[np.uint16]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pairs of a place in `values` and a row that holds what stands there."""
        counts = self._counts[values]
        query = np.repeat(np.arange(len(values)), counts)
        # Within the run of one query: its start, and then one further at each pair.
        first = self._starts[values] - (np.cumsum(counts) - counts)
        return query, self._rows[np.repeat(first, counts) + np.arange(len(query))]


def likeness(first: NDArray[np.uint8], second: NDArray[np.uint8], view: int) -> float:
    """How well the edges of two thumbnails correlate when the first, so seen, is aligned.

    The alignment is affine and maximises correlation (ECC, Evangelidis and Psarakis 2008).
    """
    mirrored, y, x = VIEWS[view]
    scale_x, scale_y = (1 - 2 * cut / VIEW for cut in (x, y))
    middle = (COMPARED - 1) / 2
    warp = np.array(
        [[scale_x, 0, middle * (1 - scale_x)], [0, scale_y, middle * (1 - scale_y)]], np.float32
    )
    if mirrored:
        warp[0] = -scale_x, 0, middle * (1 + scale_x)
    try:
        _, found = cv2.findTransformECC(second, first, warp, cv2.MOTION_AFFINE, STEPS, WHOLE, 3)
    except cv2.error:  # it found no alignment, or one of them is blank
        return 0.0
    side = (COMPARED, COMPARED)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    aligned = cv2.warpAffine(first, found, side, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return float((_edges(np.asarray(aligned, np.uint8)) * _edges(second)).sum())


def _correlation(
    waves: NDArray[np.float16],
    first: NDArray[np.int64],
    view: NDArray[np.int64],
    second: NDArray[np.int64],
) -> NDArray[np.float32]:
    found = np.empty(len(first), dtype=np.float32)
    for start in range(0, len(first), QUERIES):
        part = slice(start, start + QUERIES)
        one, two = waves[first[part], view[part]], waves[second[part], 0]
        found[part] = np.einsum("ij,ij->i", one.astype(np.float32), two.astype(np.float32))
    return found


def _edges(thumbnail: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Without its coarse brightness and its rim; mean 0, norm 1."""
    values = thumbnail.astype(np.float32)
    values = (values - cv2.GaussianBlur(values, (0, 0), EDGE))[3:-3, 3:-3]
    values -= values.mean()
    return np.asarray(values / max(float(np.linalg.norm(values)), 1e-6), dtype=np.float32)


def _content(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image without its padding: a copy may have been stretched to another shape."""
    bright = image > CONTENT
    rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
    if not len(rows):
        return image
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _resize(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8)

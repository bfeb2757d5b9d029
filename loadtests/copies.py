"""`python -m loadtests.copies`: how the search for near-copies bears many images.

Draws the hashes of so many images, of which a thousand are copies in another view with up to ten
bits changed, and tells how many of these the search finds, in how many seconds and how much memory.

Or, with `--dataset`, compares every image of that with every other, and tells how many pairs are
alike, and whether the groups of the dataset hold them.
"""

import argparse
import resource
import time
from itertools import permutations

import cv2
import numpy as np
from numpy.typing import NDArray

from gyrus.datasets import Dataset
from gyrus.datasets.near_copies import HASH_BITS, VIEWS, within
from gyrus.errors import GyrusError
from gyrus.settings import PlatformSettings

COPIES = 1000

ALIKE = 0.98
"""Two images that correlate so well, pixel by pixel as they are or mirrored, are copies."""

SIDE = 32
ROWS = 1000
"""So many images are compared with all others at a time."""


def main() -> int:
    """Do as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.copies", description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--dataset", metavar="NAME", help="one of `gyrus data list`")
    given = parser.parse_args()
    if given.dataset is None:
        return search(given.images)
    try:
        dataset = Dataset.open(PlatformSettings().datasets / given.dataset)
    except GyrusError as error:
        parser.error(error.detail)
    compare(dataset)
    return 0


def search(images: int) -> int:
    """Draw, search, and print; 1 where a copy was not found."""
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 1 << 64, (images, len(VIEWS)), np.uint64, endpoint=False)
    originals, copies = rng.permutation(images)[: 2 * COPIES].reshape(2, COPIES)
    views = rng.integers(len(VIEWS), size=COPIES)
    for copy, original, view in zip(copies, originals, views, strict=True):
        changed = rng.permutation(64)[: rng.integers(HASH_BITS + 1)]
        hashes[copy, 0] = hashes[original, view] ^ np.bitwise_or.reduce(
            np.uint64(1) << changed.astype(np.uint64), initial=np.uint64(0)
        )
    before, began = _memory(), time.perf_counter()
    query, second = within(hashes.ravel(), hashes[:, 0].copy(), HASH_BITS).T
    seconds = time.perf_counter() - began
    found = set(zip(query.tolist(), second.tolist(), strict=True))
    planted = zip((originals * len(VIEWS) + views).tolist(), copies.tolist(), strict=True)
    hits = sum(pair in found for pair in planted)
    print(
        f"{images} images, {hashes.size} hashes: {seconds:.0f} s, "
        f"{_memory() - before:.0f} MB more, {hits} of {COPIES} copies found"
    )
    return int(hits < COPIES)


def compare(dataset: Dataset) -> None:
    """Print how many images are alike, and which part of the pairs is in one group."""
    first, second = alike(dataset.images).T
    if not len(first):
        print(f"No pair correlates to {ALIKE}.")
        return
    grouped = dataset.groups[first] == dataset.groups[second]
    print(f"{len(first)} pairs correlate to {ALIKE}, {grouped.mean():.2%} of them in one group")
    parts = np.char.add(np.char.add(dataset.sources, "/"), dataset.column("shipped_split"))
    for names in (parts, dataset.sources):
        for part, other in permutations(np.unique(names).tolist(), 2):
            met = (names[first] == part) & (names[second] == other)
            back = (names[second] == part) & (names[first] == other)
            images = len(np.union1d(first[met], second[back]))
            if images:
                print(f"{part}: {images} of {np.sum(names == part)} images stand in {other}")


def alike(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pairs (P, 2) of images (N, rows, columns) that correlate to `ALIKE`, as they are or mirrored.

    A second method beside hashes: slow, for it compares all with all, and blind for cropped copies.
    """
    small = [
        cv2.resize(np.asarray(image), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        for image in images
    ]
    thumbnails = np.stack(small).astype(np.float32)
    thumbnails -= thumbnails.mean((1, 2), keepdims=True)
    thumbnails /= np.maximum(np.sqrt((thumbnails**2).sum((1, 2), keepdims=True)), 1e-6)
    seen, mirrored = (some.reshape(len(some), -1) for some in (thumbnails, thumbnails[..., ::-1]))
    found = [np.empty((0, 2), np.int64)]
    for start in range(0, len(seen), ROWS):
        for other in (seen, mirrored):
            one, two = np.nonzero(seen[start : start + ROWS] @ other.T >= ALIKE)
            pairs = np.column_stack([one + start, two])
            found.append(pairs[pairs[:, 0] < pairs[:, 1]])
    return np.unique(np.concatenate(found), axis=0)


def _memory() -> float:
    """The largest that this process has been, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    raise SystemExit(main())

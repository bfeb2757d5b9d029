"""`python -m loadtests.copies`: how the search for near-copies bears many images.

Draws the hashes of so many images, of which a thousand are copies in another view with up to ten
bits changed, and tells how many of these the search finds, in how many seconds and how much memory.
"""

import argparse
import resource
import time

import numpy as np

from gyrus.datasets.near_copies import HASH_BITS, VIEWS, within

COPIES = 1000


def main() -> int:
    """Draw, search, and print."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.copies", description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    images = parser.parse_args().images
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


def _memory() -> float:
    """The largest that this process has been, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    raise SystemExit(main())

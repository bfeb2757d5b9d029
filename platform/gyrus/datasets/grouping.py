"""Which images belong together: copies by file or pixels, near copies, slices of one patient."""

import hashlib
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from gyrus.datasets.near_copies import COPIES, NEIGHBOURS, Sketches

PAIRS = 1024
"""So many pairs are compared at a time; those that others have joined by then need not be."""


@dataclass(frozen=True)
class Grouping:
    """The group of each image, and pairs that join all copies of an image with each other.

    A group may be more than copies: neighbouring slices, or a patient, whose slices may rightly
    differ in their label.
    """

    groups: list[str]
    copies: list[tuple[int, int]]


def group_images(
    images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
    *,
    files: Sequence[str],
    patients: Sequence[str] = (),
    groups: Sequence[Hashable] = (),
) -> Grouping:
    """Group N preprocessed images, (224, 224) each, which may be memory-mapped.

    Copies are images of equal files (`files` are their digests), of equal pixels, and near copies
    (`gyrus.datasets.near_copies`). They, neighbouring slices, images of one of the `patients`
    (an empty one is none) and what is in one of the `groups` already share a group.
    """
    pixels = [hashlib.sha256(image.tobytes()).digest() for image in images]
    copies = [*equal_keys(files), *equal_keys(pixels)]
    same = _Together(len(images))
    same.join(copies)
    originals = [row for row in range(len(images)) if same.root(row) == row]
    sketches = Sketches()
    for row in originals:
        sketches.add(images[row])
    candidates = sketches.candidates()
    alike: list[tuple[int, int]] = []
    for start in range(0, len(candidates), PAIRS):
        apart = [
            (first, second, view)
            for first, second, view in candidates[start : start + PAIRS].tolist()
            if same.root(originals[first]) != same.root(originals[second])
        ]
        for (first, second, _), likeness in zip(apart, sketches.compare(apart), strict=True):
            pair = originals[first], originals[second]
            if likeness >= COPIES:
                copies.append(pair)
                same.join([pair])
            elif likeness >= NEIGHBOURS:
                alike.append(pair)
    together = chain(copies, alike, equal_keys(patients), equal_keys(groups))
    return Grouping(join(len(images), together), copies)


def contradicting(
    copies: Iterable[tuple[int, int]], allowed: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which images have copies with labels that no class fits, (N,).

    `allowed`, (N, K), are the classes that each image's label allows.
    """
    together = _Together(len(allowed))
    together.join(copies)
    roots = [together.root(row) for row in range(len(allowed))]
    common = allowed.copy()
    for row, root in enumerate(roots):
        common[root] &= allowed[row]
    return np.asarray(~common[roots].any(1))


def equal_keys(keys: Sequence[Hashable]) -> Iterator[tuple[int, int]]:
    """Pairs that join the rows with the same key, unless it is empty."""
    first_row: dict[Hashable, int] = {}
    for row, key in enumerate(keys):
        if key and first_row.setdefault(key, row) != row:
            yield first_row[key], row


def join(count: int, pairs: Iterable[tuple[int, int]]) -> list[str]:
    """The group of each of `count` rows that pairs join, named by its first row."""
    together = _Together(count)
    together.join(pairs)
    return together.names()


class _Together:
    """Rows that pairs join (union-find); the root of a group is its first row."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def root(self, row: int) -> int:
        parent = self._parent
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    def join(self, pairs: Iterable[tuple[int, int]]) -> None:
        for first, second in pairs:
            low, high = sorted((self.root(first), self.root(second)))
            self._parent[high] = low

    def names(self) -> list[str]:
        return [f"g{self.root(row):06d}" for row in range(len(self._parent))]

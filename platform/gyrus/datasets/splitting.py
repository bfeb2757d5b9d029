"""Which image goes into which split: stratified by label, never dividing a group."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gyrus.datasets.dataset import LEFT_OUT

SHARES = {"train": 0.70, "test": 0.15, "validation": 0.075, "calibration": 0.075}
"""The share of each split, in the order in which a class with few groups gets them."""


def split_groups(
    labels: Sequence[str],
    groups: Sequence[str],
    left_out: NDArray[np.bool_] | None = None,
    *,
    seed: int = 0,
    shares: Mapping[str, float] = SHARES,
) -> list[str]:
    """The split of each image.

    A group's label is the rarest that it has, for of that no split may lack images. Of each label
    every split gets one of its smallest groups, where there are enough; then the others, in random
    order, go where most images of the label are missing. (The largest first would fill the splits
    more evenly, but put all large groups into training: test would hold only images that nothing
    resembles.) Images that are `left_out` count for nothing.
    The same labels, groups and seed give the same split.
    """
    gone = np.zeros(len(groups), dtype=np.bool_) if left_out is None else left_out
    kept = np.flatnonzero(~gone).tolist()
    by_label = _groups_by_label([labels[row] for row in kept], [groups[row] for row in kept])
    split_of: dict[str, str] = {}
    generator = np.random.default_rng(seed)
    for label in sorted(by_label):
        sizes = by_label[label]
        members = list(sizes)
        shuffled = [members[i] for i in generator.permutation(len(members))]
        ascending = sorted(shuffled, key=sizes.__getitem__)
        total = sum(sizes.values())
        whole = sum(shares.values())
        missing = {split: share * total / whole for split, share in shares.items()}
        for split, group in zip(shares, ascending, strict=False):
            split_of[group] = split
            missing[split] -= sizes[group]
        for group in (group for group in shuffled if group not in split_of):
            split = max(missing, key=missing.__getitem__)
            split_of[group] = split
            missing[split] -= sizes[group]
    return [LEFT_OUT if out else split_of[group] for group, out in zip(groups, gone, strict=True)]


def _groups_by_label(labels: Sequence[str], groups: Sequence[str]) -> dict[str, dict[str, int]]:
    """The groups of each label, and how many of its images are in them."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for label, group in zip(labels, groups, strict=True):
        counts[group][label] += 1
    images = Counter(labels)
    by_label: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for group in sorted(counts):
        label = min(sorted(counts[group]), key=images.__getitem__)
        by_label[label][group] = counts[group][label]
    return by_label

"""Which image goes into which split: stratified by label, never dividing a group."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

SHARES = {"train": 0.70, "test": 0.15, "validation": 0.075, "calibration": 0.075}
"""The share of each split, in the order in which a class with few groups gets them."""


def split_groups(
    labels: Sequence[str],
    groups: Sequence[str],
    *,
    seed: int = 0,
    shares: Mapping[str, float] = SHARES,
) -> list[str]:
    """The split of each image.

    A group's label is its commonest one. Of each label every split gets one of its smallest groups,
    where there are enough; then the others, in random order, go where most images are missing. (The
    largest first would fill the splits more evenly, but put all large groups into training: test
    would hold only images that nothing resembles.) The same labels, groups and seed give the same
    split.
    """
    sizes = Counter(groups)
    by_label = _groups_by_label(labels, groups)
    split_of: dict[str, str] = {}
    generator = np.random.default_rng(seed)
    for label in sorted(by_label):
        members = by_label[label]
        shuffled = [members[i] for i in generator.permutation(len(members))]
        ascending = sorted(shuffled, key=sizes.__getitem__)
        total = sum(sizes[group] for group in members)
        whole = sum(shares.values())
        missing = {split: share * total / whole for split, share in shares.items()}
        for split, group in zip(shares, ascending, strict=False):
            split_of[group] = split
            missing[split] -= sizes[group]
        for group in (group for group in shuffled if group not in split_of):
            split = max(missing, key=missing.__getitem__)
            split_of[group] = split
            missing[split] -= sizes[group]
    return [split_of[group] for group in groups]


def _groups_by_label(labels: Sequence[str], groups: Sequence[str]) -> dict[str, list[str]]:
    votes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for label, group in zip(labels, groups, strict=True):
        votes[group][label] += 1
    by_label: defaultdict[str, list[str]] = defaultdict(list)
    for group in sorted(votes):
        label = max(sorted(votes[group]), key=votes[group].__getitem__)
        by_label[label].append(group)
    return by_label

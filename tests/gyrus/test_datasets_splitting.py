"""The split: stratified, never dividing a group, and the same every time."""

from collections import Counter, defaultdict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gyrus.datasets.dataset import LEFT_OUT
from gyrus.datasets.splitting import SHARES, split_groups

Rows = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40).map(str)), max_size=200)


@settings(deadline=None)
@given(Rows, st.integers(0, 5))
def test_a_group_is_never_divided(rows: list[tuple[str, str]], seed: int) -> None:
    labels, groups = [row[0] for row in rows], [row[1] for row in rows]
    splits = split_groups(labels, groups, seed=seed)
    where = defaultdict(set)
    for group, split in zip(groups, splits, strict=True):
        where[group].add(split)
    assert all(len(found) == 1 for found in where.values())
    assert set(splits) <= set(SHARES)
    assert splits == split_groups(labels, groups, seed=seed)


@settings(deadline=None)
@given(st.integers(40, 400), st.integers(1, 6))
def test_shares_hold_for_each_label(patients: int, slices: int) -> None:
    labels = [label for _ in range(patients) for label in "ab" for _ in range(slices)]
    groups = [f"{n}{label}" for n in range(patients) for label in "ab" for _ in range(slices)]
    counts = Counter(zip(labels, split_groups(labels, groups), strict=True))
    for label in "ab":
        for split, share in SHARES.items():
            images = counts[label, split]
            assert abs(images - share * patients * slices) <= slices


@settings(deadline=None)
@given(st.integers(4, 12))
def test_every_split_gets_each_label_from_four_groups_on(patients: int) -> None:
    labels = [label for _ in range(patients) for label in "ab"]
    groups = [f"{n}{label}" for n in range(patients) for label in "ab"]
    counts = Counter(zip(labels, split_groups(labels, groups), strict=True))
    assert len(counts) == 8


def test_one_group_of_a_label_goes_to_train() -> None:
    assert split_groups(["a", "a"], ["g", "g"]) == ["train", "train"]


def test_seeds_give_different_splits() -> None:
    groups = [str(number) for number in range(40)]
    splits = [split_groups(["a"] * 40, groups, seed=seed) for seed in range(3)]
    assert splits[0] != splits[1] != splits[2]


@settings(deadline=None)
@given(Rows, st.sets(st.integers(0, 199)))
def test_what_is_left_out_changes_nothing_for_the_others(
    rows: list[tuple[str, str]], out: set[int]
) -> None:
    labels, groups = [row[0] for row in rows], [row[1] for row in rows]
    left_out = np.array([row in out for row in range(len(rows))], dtype=np.bool_)
    splits = split_groups(labels, groups, left_out)
    kept = [row for row in range(len(rows)) if row not in out]
    assert {splits[row] for row in range(len(rows)) if row in out} <= {LEFT_OUT}
    alone = split_groups([labels[row] for row in kept], [groups[row] for row in kept])
    assert [splits[row] for row in kept] == alone


def test_a_small_set_has_its_share_though_a_large_one_holds_copies_of_its_images() -> None:
    labels = ["few/no", *["many/no"] * 5] * 40 + ["many/no"] * 400
    groups = [str(number // 6) for number in range(240)] + [f"own {n}" for n in range(400)]
    counts = Counter(zip(labels, split_groups(labels, groups), strict=True))
    assert {split: counts["few/no", split] for split in SHARES} == {
        "train": 28, "test": 6, "validation": 3, "calibration": 3
    }  # fmt: skip

"""Other splits: folds, and one source held out."""

from pathlib import Path

import numpy as np
import pytest

from gyrus.datasets import Dataset, merge
from gyrus.datasets.dataset import LEFT_OUT, SPLITS
from gyrus.datasets.folds import hold_out
from gyrus.errors import InputError
from gyrus.phantom import generate


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A small set and a larger one, which holds all patients of the small one, too."""
    folder: Path = tmp_path_factory.mktemp("datasets")
    few = generate(folder, name="few", patients=20, slices=2, seed=1)
    many = generate(folder, name="many", patients=45, slices=2, seed=1)
    return merge([few, many], folder, "merged")


def by_split(dataset: Dataset) -> dict[str, set[int]]:
    splits = np.array(dataset.column("split"))
    return {name: set(np.flatnonzero(splits == name)) for name in (*SPLITS, LEFT_OUT)}


def test_folds_test_each_image_once_and_never_divide_a_group(merged: Dataset) -> None:
    folds = [hold_out(merged, f"{number}/4", seed=3) for number in range(1, 5)]
    tested = [row for fold in folds for row in by_split(fold)["test"]]
    assert sorted(tested) == list(range(len(merged.groups)))
    for fold in folds:
        rows = by_split(fold)
        assert all(rows[name] for name in SPLITS)
        assert not rows[LEFT_OUT]
        homes = [set(fold.groups[list(rows[name])]) for name in SPLITS]
        assert sum(map(len, homes)) == len(set.union(*homes))
        assert fold.counts["test"] == {
            label: int((np.array(fold.column("label"))[list(rows["test"])] == label).sum())
            for label in fold.label_classes
        }


def test_the_same_seed_gives_the_same_folds(merged: Dataset) -> None:
    first, again, other = (hold_out(merged, "2/4", seed=seed) for seed in (3, 3, 4))
    assert first.split_digest == again.split_digest != other.split_digest
    assert first.digest == merged.digest
    assert first.split_digest != merged.split_digest


@pytest.mark.parametrize("source", ["few", "many"])
def test_what_two_sources_share_is_left_out_of_the_larger_one(merged: Dataset, source: str) -> None:
    held = by_split(hold_out(merged, f"source:{source}", seed=0))
    few, many = (set(np.flatnonzero(merged.sources == name)) for name in ("few", "many"))
    shared = {row for row in many if merged.groups[row] in set(merged.groups[list(few)])}
    assert shared
    assert held[LEFT_OUT] == shared
    trained = held["train"] | held["validation"] | held["calibration"]
    expected = {"few": (few, many - shared), "many": (many - shared, few)}[source]
    assert (held["test"], trained) == expected


@pytest.mark.parametrize(
    ("fold", "words"),
    [
        ("0/4", "no fold 0 of 4"),
        ("half", "is no fold"),
        ("6/5", "no fold 6 of 5"),
        ("1/1", "no fold 1 of 1"),
        ("1/15", "its rarest label has"),
        ("source:other", "its sources are few, many"),
    ],
)
def test_what_is_no_fold_is_refused(merged: Dataset, fold: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        hold_out(merged, fold, seed=0)

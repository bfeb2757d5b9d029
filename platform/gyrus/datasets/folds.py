"""Other splits of a dataset: one fold of several held out for the test, or one source."""

import re

import numpy as np
from numpy.typing import NDArray

from gyrus.datasets.dataset import LEFT_OUT, Dataset
from gyrus.datasets.splitting import SHARES, split_groups
from gyrus.errors import InputError


def hold_out(dataset: Dataset, fold: str, *, seed: int) -> Dataset:
    """The same dataset with a fold for its test split, and the rest split anew.

    Folds hold groups whole and every label of every source alike. Of a source, groups that it
    shares with the others are left out on the larger of the two sides.

    Raises:
        InputError: `fold` is none, the dataset has no such source, or no other.
    """
    found = re.fullmatch(r"source:(?P<source>.+)|(?P<number>\d+)/(?P<of>\d+)", fold)
    if found is None:
        raise InputError(f"{fold!r} is no fold. Write 2/5, or source:NAME.")
    strata = np.char.add(np.char.add(dataset.sources, "/"), np.array(dataset.column("label")))
    splits = np.array(dataset.column("split"), dtype=object)
    usable = splits != LEFT_OUT
    if found["source"]:
        test = _of_source(dataset, found["source"])
        shared = np.isin(
            dataset.groups, np.intersect1d(dataset.groups[test], dataset.groups[~test])
        )
        usable &= ~(shared & (test == (test.sum() > (~test).sum())))
    else:
        test = _of_fold(dataset, strata, usable, int(found["number"]), int(found["of"]), seed)
    splits[:] = LEFT_OUT
    splits[test & usable] = "test"
    rest = np.flatnonzero(~test & usable)
    shares = {name: share for name, share in SHARES.items() if name != "test"}
    splits[rest] = split_groups(
        strata[rest].tolist(), dataset.groups[rest].tolist(), seed=seed, shares=shares
    )
    return dataset.resplit(splits.tolist())


def _of_source(dataset: Dataset, source: str) -> NDArray[np.bool_]:
    names = sorted(set(dataset.sources.tolist()))
    if source not in names or len(names) == 1:
        raise InputError(
            f"{dataset.name} cannot hold out {source!r}: its sources are {', '.join(names)}."
        )
    return np.asarray(dataset.sources == source)


def _of_fold(
    dataset: Dataset,
    strata: NDArray[np.str_],
    usable: NDArray[np.bool_],
    number: int,
    of: int,
    seed: int,
) -> NDArray[np.bool_]:
    from sklearn.model_selection import StratifiedGroupKFold

    rows = np.flatnonzero(usable)
    groups = dataset.groups[rows]
    fewest = min(len(set(groups[strata[rows] == one])) for one in np.unique(strata[rows]))
    if not 2 <= of <= fewest or not 1 <= number <= of:
        raise InputError(
            f"{dataset.name} has no fold {number} of {of}: its rarest label has {fewest} groups."
        )
    folds = StratifiedGroupKFold(n_splits=of, shuffle=True, random_state=seed)
    test = np.zeros(len(usable), np.bool_)
    _, held = list(folds.split(rows, strata[rows], groups))[number - 1]
    test[rows[held]] = True
    return test

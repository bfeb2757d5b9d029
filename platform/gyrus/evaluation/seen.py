"""Which images of a dataset a model may know: those that it learnt from, and copies of them."""

from collections.abc import Iterable

import numpy as np

from gyrus.bundle import Card
from gyrus.datasets import Dataset
from gyrus.datasets.dataset import LEFT_OUT
from gyrus.datasets.grouping import group_images
from gyrus.evaluation.outcomes import Flags


def find_trained(card: Card, datasets: Iterable[Dataset]) -> Dataset | None:
    """The dataset that a model was trained on, if it is one of these."""
    return next((one for one in datasets if one.digest == card.dataset_digest), None)


def seen(dataset: Dataset, trained: Dataset, card: Card) -> Flags:
    """The images (N,) of `dataset` that the model of `card` may know of `trained`.

    That are those of its splits for training, validation and calibration, copies and near copies of
    them, and what is in one group with these: the rules by which datasets are merged. Of a model
    that held out a fold or a source it is not known which images were left, so it may know all.
    """
    known = _learnt(trained, card)
    if dataset.digest == trained.digest:
        return known
    parts = (trained, dataset)
    found = group_images(
        [image for part in parts for image in part.images],
        files=[name for part in parts for name in part.column("sha256")],
        patients=[(number, group) for number, part in enumerate(parts) for group in part.groups],
    )
    groups, count = np.array(found.groups), len(trained.images)
    return np.isin(groups[count:], groups[:count][known])


def _learnt(trained: Dataset, card: Card) -> Flags:
    splits = np.array(trained.column("split"))
    if trained.split_digest != card.split_digest:
        return np.ones(len(splits), np.bool_)
    return ~np.isin(splits, ["test", LEFT_OUT])

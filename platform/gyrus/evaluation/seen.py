"""Which images a model may know: those that it learnt from, their copies, and their patients'."""

import numpy as np

from gyrus.bundle import Card
from gyrus.datasets import Dataset, list_datasets
from gyrus.datasets.dataset import LEFT_OUT
from gyrus.datasets.grouping import group_images
from gyrus.evaluation.outcomes import Flags
from gyrus.settings import PlatformSettings


def find_trained(card: Card, settings: PlatformSettings) -> Dataset | None:
    """The dataset that a model was trained on, if it is in this home, or a copy of it."""
    known = (*list_datasets(settings.datasets), *list_datasets(settings.copies))
    return next((one for one in known if one.digest == card.dataset_digest), None)


def seen(dataset: Dataset, trained: Dataset) -> Flags:
    """The images (N,) of `dataset` that a model may know that was trained on `trained`.

    That are those of its splits for training, validation and calibration, copies and near copies of
    them, other images of their patients, and what is in one group with these: the rules by which
    datasets are merged.
    """
    known = ~np.isin(trained.column("split"), ["test", LEFT_OUT])
    if dataset.digest == trained.digest:
        return known
    parts = (trained, dataset)
    found = group_images(
        [image for part in parts for image in part.images],
        files=[name for part in parts for name in part.column("sha256")],
        patients=[name for part in parts for name in part.column("patient")],
        groups=[(number, group) for number, part in enumerate(parts) for group in part.groups],
    )
    groups, count = np.array(found.groups), len(trained.images)
    return np.isin(groups[count:], groups[:count][known])

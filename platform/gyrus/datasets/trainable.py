"""Whether a dataset can train a model: found out before anything is started for it."""

from gyrus.datasets.dataset import SPLITS, Dataset
from gyrus.errors import InvalidDataset


def check_trainable(dataset: Dataset) -> None:
    """See that every split has what it is for.

    Raises:
        InvalidDataset: the dataset has fewer than two classes, or one that no label of an image to
            train on allows (one that allows several is enough); or a split lacks images with or
            without a tumour.
    """
    name = dataset.name
    if len(dataset.classes) < 2:
        raise InvalidDataset(
            f"The dataset {name} has {len(dataset.classes)} class; a model needs at least two."
        )
    for split in SPLITS:
        rows = dataset.split(split)
        if not len(rows):
            raise InvalidDataset(
                f"The {split} split of {name} is empty: the dataset has too few images."
            )
        tumours = int(dataset.truth[rows].sum())
        if tumours in {0, len(rows)}:
            lacking = "with" if not tumours else "without"
            raise InvalidDataset(
                f"The {split} split of {name} has no image {lacking} a tumour: the dataset has too "
                "few of them."
            )
    trained = dataset.allowed[dataset.split("train")]
    empty = [label for index, label in enumerate(dataset.classes) if not trained[:, index].any()]
    if empty:
        raise InvalidDataset(
            f"The dataset {name} has no image of {' and '.join(empty)} to train on. Images that "
            "have a copy in another class count for none."
        )

"""Datasets that tests make, of images that show nothing."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gyrus.datasets import Dataset
from gyrus.datasets.dataset import IMAGES, SPLITS
from gyrus.datasets.writing import ArrayFile, Row, describe, new_folder


def make_dataset(datasets: Path, name: str, images: Sequence[tuple[str, str]]) -> Dataset:
    """A dataset with an image for each (split, label)."""
    rows = [
        Row(f"{label}/{number}", label, f"g{number}", "", "", "", split, f"{number:064x}")
        for number, (split, label) in enumerate(images)
    ]
    with new_folder(datasets, name) as folder:
        with ArrayFile(folder / IMAGES) as array:
            for number in range(len(rows)):
                array.append(np.full((224, 224), number, np.uint8))
        describe(folder, name, rows, [array], synthetic=True)
    return Dataset.open(datasets / name)


def everywhere(*labels: str) -> list[tuple[str, str]]:
    """An image of each label in each split."""
    return [(split, label) for split in SPLITS for label in labels]

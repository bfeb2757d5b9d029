"""Several datasets as one: what trains together is grouped and split together."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

import numpy as np

from gyrus.datasets.dataset import IMAGES, LEFT_OUT, MASKS, Dataset
from gyrus.datasets.grouping import difference_hash, equal_keys, join, near_copies, thumbnail
from gyrus.datasets.labels import common_classes
from gyrus.datasets.splitting import split_groups
from gyrus.datasets.writing import ArrayFile, Row, describe, new_folder
from gyrus.errors import InvalidDataset


def merge(
    parts: Sequence[Dataset],
    datasets: Path,
    name: str,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Write the images of several datasets as a new one.

    Public sets hold copies of each other's images: groups are made over all of them, and so is the
    split. Labels keep their names; `gyrus.datasets.labels.common_classes` says what they allow.
    Masks are kept if all have them. `progress` gets how many images are done, of how many.

    Raises:
        InvalidDataset: there are fewer than two parts, one is named twice, or `name` is no name.
        Conflict: a dataset of that name exists.
    """
    names = [part.name for part in parts]
    if len(set(names)) < max(len(names), 2):
        raise InvalidDataset("Name two datasets or more, each once.")
    rows = [row | {"part": part.name} for part in parts for row in part.manifest.to_pylist()]
    label_classes = common_classes(row["label"] for row in rows)
    has_masks = all(part.masks is not None for part in parts)
    hashes, thumbnails = [], []
    with new_folder(datasets, name) as folder:
        with ExitStack() as files:
            images = files.enter_context(ArrayFile(folder / IMAGES))
            arrays = [images]
            if has_masks:
                arrays.append(files.enter_context(ArrayFile(folder / MASKS)))
            for part in parts:
                for index, image in enumerate(part.images):
                    images.append(image)
                    if has_masks and part.masks is not None:
                        arrays[1].append(part.masks[index])
                    hashes.append(difference_hash(image))
                    thumbnails.append(thumbnail(image))
                    if progress:
                        progress(len(hashes), len(rows))
        groups = join(
            len(rows),
            chain(
                equal_keys([(row["part"], row["group"]) for row in rows]),
                equal_keys([row["sha256"] for row in rows]),
                near_copies(np.array(hashes), np.stack(thumbnails)),
            ),
        )
        # Each set gives its share of every label to every split.
        strata = [f"{row['dataset'] or row['part']}/{row['label']}" for row in rows]
        splits = split_groups(strata, groups, seed=seed)
        merged = [
            Row(
                source=f"{row['part']}/{row['source']}",
                label=row["label"],
                group=group,
                patient=row["patient"],
                dataset=row["dataset"] or row["part"],
                shipped_split=row["shipped_split"],
                split=LEFT_OUT if row["split"] == LEFT_OUT else split,
                sha256=row["sha256"],
            )
            for row, group, split in zip(rows, groups, splits, strict=True)
        ]
        describe(
            folder,
            name,
            merged,
            arrays,
            synthetic=all(part.synthetic for part in parts),
            refused=[one for part in parts for one in part.refused],
            label_classes=label_classes,
        )
    return Dataset.open(datasets / name)

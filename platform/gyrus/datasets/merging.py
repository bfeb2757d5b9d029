"""Several datasets as one: what trains together is grouped and split together."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

import numpy as np

from gyrus.datasets.dataset import IMAGES, LEFT_OUT, MASKS, Dataset, Refused
from gyrus.datasets.files import read_facts, write_facts
from gyrus.datasets.grouping import contradicting, group_images
from gyrus.datasets.labels import common_classes
from gyrus.datasets.splitting import split_groups
from gyrus.datasets.writing import ArrayFile, Row, describe, new_folder
from gyrus.errors import InvalidDataset


def merge(
    parts: Sequence[Dataset],
    datasets: Path,
    name: str,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Write the images of several datasets as a new one.

    Sets hold copies of each other's images, and other slices of one patient: groups are made over
    all of them, and so is the split. Labels keep their names; `common_classes` of
    `gyrus.datasets.labels` says what they allow. Masks are kept if all have them. `progress` gets
    how many images are done, of how many.

    Raises:
        InvalidDataset: there are fewer than two parts, one is named twice, or `name` is no name.
        Conflict: a dataset of that name exists.
    """
    names = [part.name for part in parts]
    if len(set(names)) < max(len(names), 2):
        raise InvalidDataset("Name two datasets or more, each once.")
    rows = [row | {"part": part.name} for part in parts for row in part.manifest.to_pylist()]
    label_classes = common_classes(row["label"] for row in rows)
    classes = sorted({name for names in label_classes.values() for name in names})
    done = 0
    has_masks = all(part.masks is not None for part in parts)
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
                    done += 1
                    if progress:
                        progress(done, len(rows))
        grouping = group_images(
            np.load(folder / IMAGES, mmap_mode="r"),
            files=[row["sha256"] for row in rows],
            patients=[row["patient"] for row in rows],
            groups=[(row["part"], row["group"]) for row in rows],
        )
        allowed = [np.isin(classes, label_classes[row["label"]]) for row in rows]
        left_out = contradicting(grouping.copies, np.array(allowed))
        left_out |= [row["split"] == LEFT_OUT for row in rows]
        # Each set gives its share of every label to every split.
        strata = [f"{row['dataset'] or row['part']}/{row['label']}" for row in rows]
        splits = split_groups(strata, grouping.groups, left_out)
        merged = [
            Row(
                source=f"{row['part']}/{row['source']}",
                label=row["label"],
                group=group,
                patient=row["patient"],
                dataset=row["dataset"] or row["part"],
                shipped_split=row["shipped_split"],
                split=split,
                sha256=row["sha256"],
            )
            for row, group, split in zip(rows, grouping.groups, splits, strict=True)
        ]
        describe(
            folder,
            name,
            merged,
            arrays,
            synthetic=all(part.synthetic for part in parts),
            refused=[
                Refused(source=f"{part.name}/{one.source}", reason=one.reason)
                for part in parts
                for one in part.refused
            ],
            label_classes=label_classes,
        )
        facts = [read_facts(part.folder, part.manifest.num_rows) for part in parts]
        write_facts(folder, list(chain.from_iterable(facts)))
    return Dataset.open(datasets / name)

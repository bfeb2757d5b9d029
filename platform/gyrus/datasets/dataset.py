"""The dataset folder, as it is read: images, manifest and description."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from pydantic import BaseModel

from gyrus.datasets.labels import known_classes
from gyrus.errors import InvalidDataset
from gyrus.preprocessing import PREPROCESSING, SIZE

IMAGES = "images.npy"
MASKS = "masks.npy"
MANIFEST = "manifest.parquet"
DESCRIPTION = "dataset.json"

SPLITS = ("train", "validation", "calibration", "test")
LEFT_OUT = "left_out"
"""In the place of a split: copies whose labels contradict each other, and groups that a source that
is held out shares with others."""

COLUMNS = ("source", "label", "group", "patient", "dataset", "shipped_split", "split", "sha256")
MANIFEST_SCHEMA = pa.schema([(name, pa.string()) for name in COLUMNS])


class Refused(BaseModel):
    """A file that was not taken, and why."""

    source: str
    reason: str


class Description(BaseModel):
    """What `dataset.json` says. `labels` are the classes that each label allows."""

    name: str
    synthetic: bool
    classes: list[str]
    tumour_classes: list[str]
    labels: dict[str, list[str]]
    counts: dict[str, dict[str, int]]
    digest: str
    split_digest: str
    preprocessing: dict[str, Any]
    refused: list[Refused]


class Dataset:
    """Preprocessed images, (N, 224, 224) uint8, with a label, a group and a split each.

    A label allows one class or, where sets that speak different languages were merged, several:
    `yes` any tumour. `label_classes` has them for each label.

    `digest` names images, the whole manifest and what labels allow; `split_digest` names only which
    image is in which split. `counts` is split → label → images.
    """

    def __init__(self, folder: Path, description: Description, manifest: pa.Table) -> None:
        self.folder = folder
        self._description = description
        self.name = description.name
        self.synthetic = description.synthetic
        self.classes = description.classes
        self.tumour_classes = description.tumour_classes
        self.label_classes = description.labels
        self.counts = description.counts
        self.digest = description.digest
        self.split_digest = description.split_digest
        self.refused = description.refused
        self.manifest = manifest

    @classmethod
    def open(cls, folder: Path) -> "Dataset":
        """Read the dataset in `folder`; images stay on disk until they are asked for.

        Raises:
            InvalidDataset: there is none, its parts do not fit together, or it was made with
                another preprocessing.
        """
        if not folder.is_dir():
            raise InvalidDataset(
                f"There is no dataset in {folder}. `gyrus data list` shows which there are."
            )
        part = DESCRIPTION
        try:
            description = Description.model_validate_json((folder / part).read_bytes())
            part = MANIFEST
            manifest = pq.read_table(folder / part, schema=MANIFEST_SCHEMA)
            dataset = cls(folder, description, manifest)
            part = IMAGES
            images = dataset.images
            part = MASKS
            masks = dataset.masks
        except Exception as error:  # damaged files make NumPy and pyarrow raise all kinds
            raise InvalidDataset(
                f"{folder} holds no readable dataset: its {part} is missing or damaged."
            ) from error
        if description.preprocessing != PREPROCESSING:
            raise InvalidDataset(
                f"The dataset in {folder} was made with preprocessing "
                f"{description.preprocessing}; here it is {PREPROCESSING}. Import it again."
            )
        for array in (images, masks):
            shape = (manifest.num_rows, SIZE, SIZE)
            if array is not None and (array.dtype != np.uint8 or array.shape != shape):
                raise InvalidDataset(
                    f"Images and manifest of the dataset in {folder} do not match."
                )
        # What the file lacks of the schema is read as null.
        if lacking := [name for name in COLUMNS if manifest[name].null_count]:
            raise InvalidDataset(
                f"The manifest of the dataset in {folder} has no {' and no '.join(lacking)} of "
                "every image."
            )
        if set(dataset.column("label")) - set(description.labels):
            raise InvalidDataset(f"The dataset in {folder} has labels that it does not explain.")
        for label, classes in description.labels.items():
            tumours = {name in description.tumour_classes for name in classes}
            if set(classes) - set(description.classes) or len(tumours) != 1:
                raise InvalidDataset(
                    f"The label {label} of the dataset in {folder} must allow some of its classes, "
                    "all of them tumours or none."
                )
        return dataset

    def resplit(self, splits: Sequence[str]) -> "Dataset":
        """The same images in other splits."""
        place = COLUMNS.index("split")
        manifest = self.manifest.set_column(place, MANIFEST_SCHEMA.field(place), [list(splits)])
        counts = Counter(zip(splits, self.column("label"), strict=True))
        changes = {
            "counts": {
                one: {name: counts[one, name] for name in self.label_classes} for one in SPLITS
            },
            "split_digest": split_digest(manifest.to_pylist()),
        }
        return Dataset(self.folder, self._description.model_copy(update=changes), manifest)

    def verify(self) -> None:
        """Read all of it and check it against its digest.

        Raises:
            InvalidDataset: something is missing or was changed.
        """
        arrays = [self.images] if self.masks is None else [self.images, self.masks]
        digests = [hashlib.sha256(array.data).hexdigest() for array in arrays]
        lines = ["\t".join(row.values()) for row in self.manifest.to_pylist()]
        if digest_of([*digests, *lines, *explained(self.label_classes)]) != self.digest:
            raise InvalidDataset(f"The dataset in {self.folder} is not what its description says.")

    def column(self, name: str) -> list[str]:
        """A column of the manifest, one text an image."""
        values: list[str] = self.manifest[name].to_pylist()
        return values

    @cached_property
    def images(self) -> NDArray[np.uint8]:
        """All images, (N, 224, 224) uint8, memory-mapped."""
        return open_memmap(self.folder / IMAGES, mode="r")

    @cached_property
    def masks(self) -> NDArray[np.uint8] | None:
        """Where the tumours are, (N, 224, 224) of 0 and 1, memory-mapped; None if not known."""
        path = self.folder / MASKS
        return open_memmap(path, mode="r") if path.exists() else None

    @cached_property
    def allowed(self) -> NDArray[np.bool_]:
        """The classes that each image may be of, (N, K)."""
        rows = {
            label: np.isin(self.classes, classes) for label, classes in self.label_classes.items()
        }
        return np.array([rows[label] for label in self.column("label")], dtype=np.bool_)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """The class of each image, (N,), an index into `classes`; -1 where several are allowed."""
        return known_classes(self.allowed)

    @cached_property
    def truth(self) -> NDArray[np.bool_]:
        """Whether each image shows a tumour, (N,)."""
        return np.asarray(self.allowed[:, self.tumour_indices].any(1))

    @property
    def tumour_indices(self) -> list[int]:
        """The indices into `classes` that are tumours."""
        return [self.classes.index(name) for name in self.tumour_classes]

    @cached_property
    def groups(self) -> NDArray[np.str_]:
        """The group of each image, (N,): images of one group never stand in two splits."""
        return np.array(self.column("group"), dtype=np.str_)

    @cached_property
    def sources(self) -> NDArray[np.str_]:
        """The set that each image came from, (N,): this one, or one of those that were merged."""
        return np.array([name or self.name for name in self.column("dataset")], dtype=np.str_)

    def split(self, name: str) -> NDArray[np.int64]:
        """The rows of a split: `train`, `validation`, `calibration` or `test`."""
        if name not in SPLITS:
            raise ValueError(f"{name!r} is no split; there are {', '.join(SPLITS)}")
        return np.flatnonzero(np.array(self.column("split")) == name).astype(np.int64)


def digest_of(lines: Sequence[str]) -> str:
    """The sha256 of lines: those of a manifest, after the digest of each array."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def explained(label_classes: Mapping[str, Sequence[str]]) -> list[str]:
    """What labels allow, as lines for a digest."""
    return ["\t".join([label, *names]) for label, names in sorted(label_classes.items())]


def split_digest(rows: Iterable[Mapping[str, str]]) -> str:
    """The digest of which image is in which split."""
    return digest_of([f"{row['source']}\t{row['sha256']}\t{row['split']}" for row in rows])


def list_datasets(folder: Path) -> list[Dataset]:
    """Every readable dataset in `folder`, by name."""
    return list(_readable(sorted(folder.glob(f"[!.]*/{DESCRIPTION}"))))


def _readable(descriptions: Iterable[Path]) -> Iterable[Dataset]:
    for path in descriptions:
        try:
            yield Dataset.open(path.parent)
        except InvalidDataset:
            continue

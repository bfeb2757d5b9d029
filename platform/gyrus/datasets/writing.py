"""The dataset folder, as it is written: whole, or not at all."""

import hashlib
import re
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.lib import format as npy
from numpy.typing import NDArray

from gyrus.datasets.dataset import (
    DESCRIPTION,
    MANIFEST,
    MANIFEST_SCHEMA,
    SPLITS,
    Description,
    Refused,
    digest_of,
    explained,
    split_digest,
)
from gyrus.datasets.labels import is_healthy
from gyrus.errors import Conflict, InvalidDataset
from gyrus.preprocessing import PREPROCESSING, SIZE

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Row:
    """An image's line in the manifest; `dataset` is empty if it is no other than this one."""

    source: str
    label: str
    group: str
    patient: str
    dataset: str
    shipped_split: str
    split: str
    sha256: str


class ArrayFile:
    """A .npy file of (N, 224, 224) uint8 that grows by one image at a time."""

    def __init__(self, path: Path) -> None:
        self.digest = hashlib.sha256()
        self._file: BinaryIO = path.open("wb")
        self._count = 0
        self._write_header()

    def append(self, image: NDArray[np.uint8]) -> None:
        """Write one more image."""
        data = np.ascontiguousarray(image, dtype=np.uint8).tobytes()
        self.digest.update(data)
        self._file.write(data)
        self._count += 1

    def _write_header(self) -> None:
        # NumPy pads this header so that it keeps its length when the first axis grows.
        shape = (self._count, SIZE, SIZE)
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        self._file.seek(0)
        npy.write_array_header_1_0(self._file, header)

    def __enter__(self) -> "ArrayFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._write_header()
        self._file.close()


@contextmanager
def new_folder(datasets: Path, name: str) -> Iterator[Path]:
    """A folder beside the one wanted, which takes its name when the block ends without an error.

    Raises:
        InvalidDataset: `name` is no name for a folder.
        Conflict: a dataset of that name is there already.
    """
    if not NAME.fullmatch(name):
        raise InvalidDataset(
            f"{name!r} cannot name a dataset. Use letters, digits, '.', '_' and '-', at most 64."
        )
    target = datasets / name
    taken = Conflict(f"A dataset {name!r} exists already. Choose another name, or delete {target}.")
    if target.exists():
        raise taken
    temporary = datasets / f".{name}.{uuid.uuid4().hex[:8]}"
    temporary.mkdir(parents=True)
    try:
        yield temporary
        try:
            temporary.rename(target)
        except OSError as error:
            if target.exists():
                raise taken from error
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def describe(
    folder: Path,
    name: str,
    rows: Sequence[Row],
    arrays: Sequence[ArrayFile],
    *,
    synthetic: bool,
    refused: Sequence[Refused] = (),
    label_classes: Mapping[str, list[str]] | None = None,
) -> None:
    """Write manifest and description beside the finished `arrays` of a dataset.

    `label_classes` are the classes that each label allows; by default a label is a class.
    """
    columns = [asdict(row) for row in rows]
    pq.write_table(pa.Table.from_pylist(columns, schema=MANIFEST_SCHEMA), folder / MANIFEST)
    labels = sorted({row.label for row in rows})
    allowed = {label: (label_classes or {}).get(label, [label]) for label in labels}
    classes = sorted({name for names in allowed.values() for name in names})
    counts = Counter((row.split, row.label) for row in rows)
    lines = ["\t".join(column.values()) for column in columns]
    description = Description(
        name=name,
        synthetic=synthetic,
        classes=classes,
        tumour_classes=[name for name in classes if not is_healthy(name)],
        labels=allowed,
        counts={split: {label: counts[split, label] for label in labels} for split in SPLITS},
        digest=digest_of(
            [*(array.digest.hexdigest() for array in arrays), *lines, *explained(allowed)]
        ),
        split_digest=split_digest(columns),
        preprocessing=dict(PREPROCESSING),
        refused=list(refused),
    )
    (folder / DESCRIPTION).write_text(description.model_dump_json(indent=2) + "\n")

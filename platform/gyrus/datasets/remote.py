"""Datasets at an address: copied here once to be read, and there when they are made."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from upath import UPath

from gyrus.addresses import download, reached, upload
from gyrus.datasets.dataset import DESCRIPTION, Dataset
from gyrus.errors import Conflict
from gyrus.locks import hold

COPY_S = 3600.0
"""So long others on this machine wait for the one that copies."""


def open_dataset(source: UPath, copies: Path) -> Dataset:
    """Open a dataset, of another machine by a copy in `copies` that is made once.

    Raises:
        InvalidDataset: it is none, or was changed.
        NotFound, Unavailable: there is nothing, or it cannot be read.
    """
    if isinstance(source, Path):
        return Dataset.open(source)
    with reached(source):
        description = (source / DESCRIPTION).read_bytes()
    # It holds the digest of all else, and what the same images are called here.
    digest = hashlib.sha256(description).hexdigest()
    copy = copies / digest
    if not copy.exists():
        copies.mkdir(parents=True, exist_ok=True)
        with (
            hold(copies / f".{digest}.lock", seconds=COPY_S),
            TemporaryDirectory(dir=copies, prefix=f".{digest}-") as part,
        ):
            if not copy.exists():
                fetched = Path(part) / "dataset"
                download(source, fetched)
                (fetched / DESCRIPTION).write_bytes(description)
                Dataset.open(fetched).verify()
                fetched.rename(copy)
    return Dataset.open(copy)


@contextmanager
def datasets_at(target: UPath, name: str) -> Iterator[Path]:
    """The folder to make the dataset `name` in, so that it is in `target` after the block.

    Raises:
        Conflict: a dataset of that name is at that address already.
    """
    _check_name(target, name)
    if isinstance(target, Path):
        yield target
        return
    with TemporaryDirectory() as folder:
        yield Path(folder)
        _check_name(target, name)  # it took a while
        # Who finds the description finds the rest.
        upload(Path(folder) / name, target / name, last=DESCRIPTION)


def _check_name(target: UPath, name: str) -> None:
    with reached(target):
        taken = (target / name / DESCRIPTION).exists()
    if taken:
        raise Conflict(f"A dataset {name!r} exists already at {target}. Choose another name.")

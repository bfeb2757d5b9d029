"""Files and folders by their path, or by their address (`s3://bucket/path`) in an object store.

Both are `UPath`s, of fsspec; those on this machine are `pathlib.Path`s too.
"""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator
from upath import UPath

from gyrus.errors import GyrusError, InputError, NotFound, StorageFull, Unavailable

LOCAL = {"", "file", "local"}

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""A disk, a quota, or what one file may take, is used up."""

ERRNO = re.compile(r"errno\D{0,3}(\d+)", re.IGNORECASE)


def address(given: str | Path | UPath) -> UPath:
    """What was given, from the root.

    Raises:
        InputError: there is no such kind of address.
    """
    try:
        path = UPath(given)
    except ValueError as error:
        raise InputError(f"{given}: {error}") from error
    if path.protocol in LOCAL:
        path = UPath(path.path).expanduser()
    return path.resolve()


Address = Annotated[UPath, PlainValidator(address), PlainSerializer(str)]


@contextmanager
def local(source: UPath) -> Iterator[Path]:
    """A file or folder on this machine: itself, or else a copy that lasts as long as the block.

    Raises:
        NotFound: there is nothing.
        InputError, Unavailable: it cannot be copied; see `download`.
    """
    if isinstance(source, Path):
        if not source.exists():
            raise NotFound(f"There is nothing at {source}.")
        yield source
        return
    with TemporaryDirectory() as folder:
        copy = Path(folder) / source.name
        download(source, copy)
        yield copy


def download(source: UPath, target: Path) -> None:
    """Copy a file, or a folder with all that is in it, to the new `target`.

    Raises:
        NotFound: there is nothing.
        InputError: a name in it would lead out of the folder.
        Unavailable: it cannot be read.
    """
    with reached(source):
        found: list[str] = source.fs.find(source.path)
        if not found:
            raise NotFound(f"There is nothing at {source}.")
        parts = [name.removeprefix(source.path).strip("/") for name in found]
        if any(".." in part.split("/") for part in parts):
            raise InputError(f"{source} holds a name with '..'.")
        copies = [target / part for part in parts]
        for folder in {copy.parent for copy in copies}:
            folder.mkdir(parents=True, exist_ok=True)
        source.fs.get(found, [str(copy) for copy in copies])


def upload(source: Path, target: UPath, *, last: str = "") -> None:
    """Copy all that is in a folder into another one; the file `last` when all others are there.

    Raises:
        Unavailable: it cannot be written.
    """
    paths = [path for path in source.rglob("*") if path.is_file()]
    with reached(target):
        for path in sorted(paths, key=lambda path: path.name == last):
            copy = target / path.relative_to(source).as_posix()
            copy.parent.mkdir(parents=True, exist_ok=True)
            target.fs.put_file(str(path), copy.path)


@contextmanager
def reached(place: UPath) -> Iterator[None]:
    """What `place` refuses within the block becomes an error of ours."""
    try:
        with room():
            yield
    except GyrusError:
        raise
    except FileNotFoundError as error:
        raise NotFound(f"There is nothing at {place}.") from error
    except Exception as error:  # each kind of address has its own
        raise Unavailable(f"{place} cannot be reached: {error}") from error


@contextmanager
def room() -> Iterator[None]:
    """A disk that is full becomes an error of ours.

    Raises:
        StorageFull: so it is.
    """
    try:
        yield
    except OSError as error:
        # HDF5 and copies of folders tell the number in words alone.
        numbers = {error.errno, *map(int, ERRNO.findall(str(error)))}
        for number in FULL & numbers:
            where = f" for {error.filename}" if error.filename else ""
            raise StorageFull(f"There is no room left{where}: {os.strerror(number)}.") from error
        raise

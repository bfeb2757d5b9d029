"""What is in a folder, but for what is hidden."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from gyrus.errors import InputError


def visible_files(path: Path) -> Iterator[Path]:
    """The files in a folder and those below it, without what is hidden.

    Raises:
        InputError: one of the folders cannot be read.
    """
    for root, folders, names in os.walk(path, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(root, name) for name in names if not name.startswith("."))


def visible_folders(path: Path) -> list[Path]:
    """The folders in a folder that are not hidden.

    Raises:
        InputError: the folder cannot be read.
    """
    try:
        return [child for child in path.iterdir() if child.is_dir() and child.name[0] != "."]
    except OSError as error:
        _refuse(error)


def _refuse(error: OSError) -> NoReturn:
    raise InputError(f"{error.filename} cannot be read: {error.strerror}.") from error

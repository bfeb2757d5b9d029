"""What is in a folder, but for what is hidden."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path


def visible_files(path: Path, onerror: Callable[[OSError], None] | None = None) -> Iterator[Path]:
    """The files in a folder and those below it, without what is hidden; `onerror` as `os.walk`."""
    for root, folders, names in os.walk(path, onerror=onerror):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(root, name) for name in names if not name.startswith("."))


def visible_folders(path: Path) -> list[Path]:
    """The folders in a folder that are not hidden."""
    return [child for child in path.iterdir() if child.is_dir() and child.name[0] != "."]

"""Which files in a folder are images, and of which class."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gyrus.bundle import LONGEST_CLASS
from gyrus.errors import InvalidDataset
from gyrus.folders import visible_files, visible_folders

SHIPPED_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
"""Names of folders that hold a split, not a class."""


@dataclass(frozen=True)
class File:
    """A file that may hold an image; `shipped_split` is that of its folder, or empty."""

    path: Path
    label: str
    shipped_split: str


def find(source: Path) -> tuple[list[File], Path | None]:
    """The files in the class folders of `source`, by path, and the folder that was left out.

    That is one that holds all the others again, as some archives do, if there is one.

    Raises:
        InvalidDataset: it is no folder, its folders are no classes, or one of them is empty.
        InputError: a folder below them cannot be read.
    """
    if not source.is_dir():
        raise InvalidDataset(f"{source} is no folder.")
    again = _again(source)
    children = [child for child in visible_folders(source) if child != again]
    parts = [child for child in children if child.name.lower() in SHIPPED_SPLITS]
    if parts and len(parts) < len(children):
        other = next(child.name for child in children if child not in parts)
        raise InvalidDataset(
            f"{source} holds {parts[0].name} and {other}: either folders of splits or folders of "
            "classes, not both. Move one elsewhere."
        )
    labelled = [
        (SHIPPED_SPLITS[part.name.lower()], f) for part in parts for f in visible_folders(part)
    ]
    if not parts:
        labelled = [("", child) for child in children]
    _check_labels([folder for _, folder in labelled])
    files = [
        File(path, folder.name.lower(), shipped)
        for shipped, folder in labelled
        for path in visible_files(folder)
    ]
    if empty := sorted({f.name.lower() for _, f in labelled} - {file.label for file in files}):
        raise InvalidDataset(f"The class {empty[0]} in {source} is empty. Fill it, or delete it.")
    return sorted(files, key=lambda file: file.path.as_posix()), again


def _again(source: Path) -> Path | None:
    """The folder in `source` in which all others stand again, with the same files in them."""
    children = visible_folders(source)
    for child in children:
        others = [other for other in children if other != child]
        inner = {folder.name for folder in visible_folders(child)}
        if len(others) > 1 and inner == {other.name for other in others}:
            files = (path for one in others for path in visible_files(one))
            if _sizes(files, source) == _sizes(visible_files(child), child):
                return child
    return None


def _sizes(files: Iterable[Path], folder: Path) -> dict[Path, int]:
    return {path.relative_to(folder): path.stat().st_size for path in files if path.exists()}


def _check_labels(folders: list[Path]) -> None:
    labels = {folder.name.lower() for folder in folders}
    for folder in folders:
        if len(folder.name) > LONGEST_CLASS:
            raise InvalidDataset(
                f"The class {folder.name[:20]}… has more than {LONGEST_CLASS} characters."
            )
        inner = {child.name.lower() for child in visible_folders(folder)}
        if again := sorted(inner & labels):
            raise InvalidDataset(
                f"{folder} is no class: it holds a folder {again[0]}, which is one. Import "
                f"{folder} by itself, or move it elsewhere."
            )

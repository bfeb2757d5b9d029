"""Which files in a folder are images, of which class, and in which order."""

from dataclasses import dataclass
from pathlib import Path

from gyrus.bundle import LONGEST_CLASS
from gyrus.dicom import place_in_series
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


def find(source: Path) -> list[File]:
    """The files in the class folders of `source`, in the order in which a dataset has them.

    Raises:
        InvalidDataset: it is no folder, its folders are no classes, or one of them is empty.
    """
    if not source.is_dir():
        raise InvalidDataset(f"{source} is no folder.")
    children = visible_folders(source)
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
    return _in_order(files, source)


def _in_order(files: list[File], source: Path) -> list[File]:
    """By path; but the slices of a DICOM series by position, where its first file has its place."""
    first: dict[tuple[str, Path], str] = {}
    keys: dict[Path, tuple[str, float, str]] = {}
    for path in sorted((file.path for file in files), key=Path.as_posix):
        name = path.relative_to(source).as_posix()
        series, position = place_in_series(path)
        anchor = first.setdefault((series, path.parent), name) if series else name
        keys[path] = anchor, position, name
    return sorted(files, key=lambda file: keys[file.path])


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

"""From folders of images, one folder a class, to a dataset."""

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gyrus.bundle import LONGEST_CLASS
from gyrus.datasets.dataset import IMAGES, SPLITS, Dataset, Refused
from gyrus.datasets.grouping import difference_hash, equal_keys, join, near_copies, thumbnail
from gyrus.datasets.splitting import split_groups
from gyrus.datasets.writing import ArrayFile, Row, describe, new_folder
from gyrus.dicom import patient_of, place_in_series
from gyrus.errors import GyrusError, InvalidDataset
from gyrus.gray import Gray
from gyrus.imaging import decode_all, preprocess

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

MAX_FILE = 256 * 2**20
"""Bytes; no image that is decoded has more."""

BATCH = 64


@dataclass(frozen=True)
class _File:
    path: Path
    label: str
    shipped_split: str


@dataclass(frozen=True)
class _Read:
    file: _File
    source: str
    image: NDArray[np.uint8]
    sha256: str
    pixels: bytes
    patient: str
    difference: np.uint64
    small: NDArray[np.float32]


def import_folder(
    source: Path,
    datasets: Path,
    name: str,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Read class folders, perhaps inside Training and Testing, into a new dataset.

    Every image goes through `gyrus.imaging` once. Copies, by file or by pixels, near copies, and
    the slices of a patient that DICOM files name share a group; the name itself is not kept. Files
    that are no images are refused and noted. `progress` gets how many files are done, of how many.

    Raises:
        InvalidDataset: the folders are no classes, there are fewer than two, or one has no image;
            there are too few images for every split, or the name is none.
        Conflict: a dataset of that name exists.
    """
    files = _find(source)
    read: list[_Read] = []
    refused: list[Refused] = []
    with new_folder(datasets, name) as folder:
        with ArrayFile(folder / IMAGES) as images:
            for done, results in enumerate(_read_all(source, files), start=1):
                for result in results:
                    if isinstance(result, Refused):
                        refused.append(result)
                    else:
                        images.append(result.image)
                        read.append(_without_image(result))
                if progress:
                    progress(done, len(files))
        rows = _rows(read, seed)
        if len({row.label for row in rows}) < 2:
            raise InvalidDataset(_too_few(source, refused))
        if empty := sorted({file.label for file in files} - {row.label for row in rows}):
            raise InvalidDataset(
                f"No file of the class {empty[0]} in {source} is an image that can be read. Move "
                "it elsewhere, or mend it."
            )
        if missing := [split for split in SPLITS if split not in {row.split for row in rows}]:
            raise InvalidDataset(
                f"{source} has too few images: none is left for {' and '.join(missing)}. "
                "Every class should have at least four, better hundreds, that are no copies."
            )
        describe(folder, name, rows, [images], synthetic=False, refused=refused)
    return Dataset.open(datasets / name)


def _find(source: Path) -> list[_File]:
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
        _File(Path(root, name), folder.name.lower(), shipped)
        for shipped, folder in labelled
        for root, _, names in os.walk(folder)
        for name in names
        if not name.startswith(".")
    ]
    if empty := sorted({f.name.lower() for _, f in labelled} - {file.label for file in files}):
        raise InvalidDataset(f"The class {empty[0]} in {source} is empty. Fill it, or delete it.")
    return _in_order(files, source)


def _in_order(files: list[_File], source: Path) -> list[_File]:
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


def visible_folders(path: Path) -> list[Path]:
    """The folders in a folder that are not hidden."""
    return [child for child in path.iterdir() if child.is_dir() and child.name[0] != "."]


def _read_all(source: Path, files: list[_File]) -> Iterator[list[_Read] | list[Refused]]:
    """Read files in order, in threads (the decoders release the GIL), a batch at a time."""

    def read(file: _File) -> list[_Read] | list[Refused]:
        return _read(file, file.path.relative_to(source).as_posix())

    remaining = iter(files)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        batches = iter(lambda: list(islice(remaining, BATCH)), [])
        yield from chain.from_iterable(pool.map(read, batch) for batch in batches)


def _read(file: _File, source: str) -> list[_Read] | list[Refused]:
    """The image of a file, or the frames of one that holds several."""

    def read(gray: Gray, frame: str) -> _Read:
        image, _ = preprocess(gray)
        return _Read(
            file=file,
            source=source + frame,
            image=image,
            sha256=hashlib.sha256(data + frame.encode()).hexdigest(),
            pixels=hashlib.sha256(image.tobytes()).digest(),
            patient=patient or (source if frame else ""),
            difference=difference_hash(image),
            small=thumbnail(image),
        )

    try:
        source.encode()
    except UnicodeEncodeError:
        name = os.fsencode(source).decode(errors="replace")
        return [Refused(source=name, reason="The file's name is not UTF-8. Rename it.")]
    try:
        if file.path.stat().st_size > MAX_FILE:
            return [Refused(source=source, reason="The file is larger than 256 MiB.")]
        data = file.path.read_bytes()
        frames = decode_all(data)
        first = next(frames)
        patient = patient_of(data)
        others = [read(gray, f"#{number}") for number, gray in enumerate(frames, start=2)]
    except GyrusError as error:
        return [Refused(source=source, reason=error.detail)]
    except OSError as error:
        return [Refused(source=source, reason=f"The file cannot be read: {error.strerror}.")]
    return [read(first, "#1" if others else ""), *others]


def _without_image(read: _Read) -> _Read:
    return _Read(**{**read.__dict__, "image": np.empty((0, 0), np.uint8)})


def _rows(read: list[_Read], seed: int) -> list[Row]:
    if not read:
        return []
    pairs = chain(
        equal_keys([item.sha256 for item in read]),
        equal_keys([item.pixels for item in read]),
        equal_keys([item.patient for item in read]),
        near_copies(
            np.array([item.difference for item in read]), np.stack([item.small for item in read])
        ),
    )
    groups = join(len(read), pairs)
    splits = split_groups([item.file.label for item in read], groups, seed=seed)
    return [
        Row(
            source=item.source,
            label=item.file.label,
            group=group,
            patient="",
            dataset="",
            shipped_split=item.file.shipped_split,
            split=split,
            sha256=item.sha256,
        )
        for item, group, split in zip(read, groups, splits, strict=True)
    ]


def _too_few(source: Path, refused: list[Refused]) -> str:
    text = (
        f"{source} must hold at least two folders with images, one a class (such as yes and no), "
        "directly or inside train and test."
    )
    if refused:
        text += f" {len(refused)} files were refused; the first: {refused[0].reason}"
    return text

"""From folders of images, one folder a class, to a dataset."""

import hashlib
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gyrus.datasets.dataset import IMAGES, SPLITS, Dataset, Refused
from gyrus.datasets.files import FileFacts, facts_of, write_facts
from gyrus.datasets.finding import File, find
from gyrus.datasets.grouping import contradicting, group_images
from gyrus.datasets.pseudonyms import pseudonym
from gyrus.datasets.splitting import split_groups
from gyrus.datasets.writing import ArrayFile, Row, describe, new_folder
from gyrus.dicom import names_in
from gyrus.errors import GyrusError, InvalidDataset
from gyrus.gray import Gray
from gyrus.imaging import decode_all, preprocess

MAX_FILE = 256 * 2**20
"""Bytes; no image that is decoded has more."""

AHEAD = 8
"""So many files are read ahead: each may hold 1,000 frames, of 50 KB when preprocessed."""


@dataclass(frozen=True)
class _Read:
    file: File
    source: str
    image: NDArray[np.uint8]
    sha256: str
    patient: str
    series: str
    facts: FileFacts


def import_folder(
    source: Path,
    datasets: Path,
    name: str,
    *,
    home: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Read class folders, perhaps inside Training and Testing, into a new dataset.

    Every image goes through `gyrus.imaging` once. Copies, by file or by pixels, near copies, and
    the slices of a patient that DICOM files name share a group. Of a patient's name a pseudonym is
    kept, by which other imports of the same `home` know the patient again; nothing without a
    `home`. Copies with different labels are left out of the split. Files that are no images are
    refused and noted. `progress` gets how many files are done, of how many.

    Raises:
        InvalidDataset: the folders are no classes, there are fewer than two, or one has no image;
            there are too few images for every split, or the name is none.
        InputError: a folder cannot be read.
        Conflict: a dataset of that name exists.
    """
    files, again = find(source)
    read: list[_Read] = []
    known: list[str] = []
    refused: list[Refused] = []
    if again:
        reason = "The folder holds the other folders again, with the same files in them."
        refused.append(Refused(source=again.name, reason=reason))
    with new_folder(datasets, name) as folder:
        with ArrayFile(folder / IMAGES) as images:
            for done, results in enumerate(_read_all(source, files), start=1):
                for result in results:
                    if isinstance(result, Refused):
                        refused.append(result)
                    else:
                        images.append(result.image)
                        read.append(_without_image(result))
                        # Now, so that a key that cannot be had is told before all is read.
                        known.append(pseudonym(result.patient, home))
                if progress:
                    progress(done, len(files))
        labels = {item.file.label for item in read}
        if len(labels) < 2:
            raise InvalidDataset(_too_few(source, refused))
        if empty := sorted({file.label for file in files} - labels):
            raise InvalidDataset(
                f"No file of the class {empty[0]} in {source} is an image that can be read. Move "
                "it elsewhere, or mend it."
            )
        rows = _rows(read, known, folder)
        if missing := [split for split in SPLITS if split not in {row.split for row in rows}]:
            raise InvalidDataset(
                f"{source} has too few images: none is left for {' and '.join(missing)}. "
                "Every class should have at least four, better hundreds: copies and slices of one "
                "patient count as one." + _of_one_patient(read)
            )
        describe(folder, name, rows, [images], synthetic=False, refused=refused)
        write_facts(folder, [item.facts for item in read])
    return Dataset.open(datasets / name)


def _read_all(source: Path, files: list[File]) -> Iterator[list[_Read] | list[Refused]]:
    """Read files in order, in threads (the decoders release the GIL), a few ahead."""

    def read(file: File) -> list[_Read] | list[Refused]:
        return _read(file, file.path.relative_to(source).as_posix())

    remaining = iter(files)
    with ThreadPoolExecutor(min(AHEAD, os.cpu_count() or 1)) as pool:
        reading = deque(pool.submit(read, file) for file in islice(remaining, AHEAD))
        while reading:
            yield reading.popleft().result()
            reading.extend(pool.submit(read, file) for file in islice(remaining, 1))


def _read(file: File, source: str) -> list[_Read] | list[Refused]:
    """The image of a file, or the frames of one that holds several."""

    def read(gray: Gray, frame: str) -> _Read:
        image, _ = preprocess(gray)
        return _Read(
            file=file,
            source=source + frame,
            image=image,
            sha256=_digest(whole, frame),
            patient=patient,
            series=series or (source if frame else ""),
            facts=facts,
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
        whole = hashlib.sha256(data)
        frames = decode_all(data)
        first = next(frames)
        (patient, series), facts = names_in(data), facts_of(data)
        others = [read(gray, f"#{number}") for number, gray in enumerate(frames, start=2)]
    except GyrusError as error:
        return [Refused(source=source, reason=error.detail)]
    except OSError as error:
        return [Refused(source=source, reason=f"The file cannot be read: {error.strerror}.")]
    return [read(first, "#1" if others else ""), *others]


def _digest(whole: "hashlib._Hash", frame: str) -> str:
    """The digest of a frame of a file."""
    digest = whole.copy()
    digest.update(frame.encode())
    return digest.hexdigest()


def _without_image(read: _Read) -> _Read:
    return _Read(**{**read.__dict__, "image": np.empty((0, 0), np.uint8)})


def _rows(read: list[_Read], known: list[str], folder: Path) -> list[Row]:
    grouping = group_images(
        np.load(folder / IMAGES, mmap_mode="r"),
        files=[item.sha256 for item in read],
        patients=[item.patient or item.series for item in read],
    )
    labels = np.array([item.file.label for item in read])
    left_out = contradicting(grouping.copies, labels[:, None] == np.unique(labels))
    splits = split_groups(labels.tolist(), grouping.groups, left_out)
    return [
        Row(
            source=item.source,
            label=item.file.label,
            group=group,
            patient=patient,
            dataset="",
            shipped_split=item.file.shipped_split,
            split=split,
            sha256=item.sha256,
        )
        for item, group, split, patient in zip(read, grouping.groups, splits, known, strict=True)
    ]


def _of_one_patient(read: list[_Read]) -> str:
    """Why there are too few, where whoever took away the names gave all patients the same."""
    [(patient, count)] = Counter(item.patient for item in read).most_common(1)
    if not patient or 2 * count <= len(read):
        return ""
    return (
        f" {count} of the {len(read)} images have one PatientID. If they are of several patients, "
        "give each one of its own."
    )


def _too_few(source: Path, refused: list[Refused]) -> str:
    text = (
        f"{source} must hold at least two folders with images, one a class (such as yes and no), "
        "directly or inside train and test."
    )
    if refused:
        text += f" {len(refused)} files were refused; the first: {refused[0].reason}"
    return text

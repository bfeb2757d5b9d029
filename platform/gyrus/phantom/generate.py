"""Generated patients, and a dataset of them."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from gyrus.imaging import SIZE, Crop, preprocess
from gyrus.phantom.anatomy import Head
from gyrus.phantom.scanner import Scanner
from gyrus.phantom.tumours import KINDS, Incidental, Tumour, place

if TYPE_CHECKING:
    from gyrus.datasets.dataset import Dataset

HEALTHY = "notumor"
CLASSES = ("glioma", "meningioma", HEALTHY, "pituitary")

TURNS = ("glioma", HEALTHY, "meningioma", "pituitary", HEALTHY)
"""Patients' classes by turns: two in five have no tumour."""

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Drawn:
    """A slice as it would be uploaded, (256, 256) uint8, and its tumour, 0 and 1."""

    image: Image
    mask: Image


def draw(label: str, *, seed: int = 0) -> tuple[Image, Image]:
    """One slice of one patient: the image, (256, 256) uint8, and the tumour's mask, 0 and 1.

    Raises:
        ValueError: `label` is none of `CLASSES`.
    """
    if label not in CLASSES:
        raise ValueError(f"{label!r} is none of {', '.join(CLASSES)}")
    drawn = next(iter(patient(label, 1, np.random.default_rng([seed, CLASSES.index(label)]))))
    return drawn.image, drawn.mask


def generate(
    datasets: Path,
    *,
    name: str = "phantom",
    patients: int = 480,
    slices: int = 3,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> "Dataset":
    """Draw `patients` patients of `slices` slices each, and write them as a dataset.

    The classes take turns (`TURNS`), and a patient is a group. Each image goes through
    `gyrus.imaging` as a real one does. The same arguments give the same bytes. `progress` gets how
    many patients are done, of how many.

    Raises:
        Conflict: a dataset of that name exists.
    """
    # Here, because the serving image draws images to try itself, and has no pyarrow.
    from gyrus.datasets.dataset import IMAGES, MASKS, Dataset
    from gyrus.datasets.splitting import split_groups
    from gyrus.datasets.writing import ArrayFile, Row, describe, new_folder

    labels = [TURNS[number % len(TURNS)] for number in range(patients)]
    names = [f"p{number:05d}" for number in range(patients)]
    splits = split_groups(labels, names, seed=seed)
    rows: list[Row] = []
    with new_folder(datasets, name) as folder:
        with ArrayFile(folder / IMAGES) as images, ArrayFile(folder / MASKS) as masks:
            for number, label in enumerate(labels):
                generator = np.random.default_rng([seed, number])
                for index, drawn in enumerate(patient(label, slices, generator)):
                    image, crop = preprocess(drawn.image)
                    images.append(image)
                    masks.append(_window(drawn.mask, crop))
                    sha256 = hashlib.sha256(drawn.image.tobytes()).hexdigest()
                    source = f"{names[number]}/{index}"
                    who = f"{seed}/{names[number]}"  # others have other heads
                    group = names[number]
                    rows.append(Row(source, label, group, who, "", "", splits[number], sha256))
                if progress:
                    progress(number + 1, patients)
        describe(folder, name, rows, [images, masks], synthetic=True)
    return Dataset.open(datasets / name)


def patient(label: str, slices: int, generator: Generator) -> Iterator[Drawn]:
    """The slices of one patient; each shows the tumour, where there is one."""
    kind = label if label in KINDS else str(generator.choice(KINDS))
    site = place(kind, generator)
    head, scanner = Head(generator), Scanner(generator)
    incidental = Incidental(generator)
    tumour = Tumour(kind, site, generator) if label in KINDS else None
    offsets = np.linspace(-1, 1, slices) if slices > 1 else np.zeros(1)
    for offset in offsets + generator.uniform(-0.1, 0.1, slices):
        height = site.height + site.extent * float(offset)
        push = tumour.push(height, head.length * 0.75) if tumour else (0.0, 0.0, 1.0, 0.0)
        where = head.slice(height, push)
        signal = incidental.add(scanner.tissue_signal(where.tissue), where)
        mask = np.zeros(signal.shape, np.bool_)
        if tumour:
            signal, mask = tumour.add(signal, where, scanner.oedema_change)
        yield Drawn(scanner.acquire(signal, generator), mask.astype(np.uint8))


def _window(mask: Image, crop: Crop) -> Image:
    """The mask in the geometry of its preprocessed image."""
    scale = crop.width / SIZE
    back = np.array([[scale, 0, crop.x + (scale - 1) / 2], [0, scale, crop.y + (scale - 1) / 2]])
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(mask, back, (SIZE, SIZE), flags=flags), dtype=np.uint8)

"""A report as one HTML page, which needs nothing beside it."""

import base64

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from gyrus.datasets.dataset import Dataset
from gyrus.datasets.report import Report
from gyrus.imaging import encode_png

TILE = 96
"""The side of a picture on the page, in pixels."""

MONTAGE = (2, 9)
"""Rows and columns of a montage."""

SHOWN = 50
"""So many sets of contradicting copies are shown with pictures; all are listed."""


def render(report: Report, dataset: Dataset) -> str:
    """The page of a report on a dataset."""
    environment = Environment(
        loader=PackageLoader("gyrus.datasets", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    montages = {
        (count.source, count.label): _png(_montage(dataset, count.source, count.label))
        for count in report.counts
    }
    pictures = {
        image.row: _png(_small(dataset.images[image.row]))
        for copies in report.contradictions[:SHOWN]
        for image in copies
    }
    several = len({count.source for count in report.counts}) > 1
    return environment.get_template("report.html").render(
        report=report, montages=montages, pictures=pictures, several=several
    )


def _montage(dataset: Dataset, source: str, label: str) -> NDArray[np.uint8]:
    """Images of a label, spread over the dataset and each of another group; black where none is."""
    of_label = np.array(dataset.column("label")) == label
    rows = np.flatnonzero(of_label & (dataset.sources == source))
    rows = rows[np.sort(np.unique(dataset.groups[rows], return_index=True)[1])]
    height, width = MONTAGE
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, height * width).round().astype(int))]
    tiles = np.zeros((height * width, TILE, TILE), dtype=np.uint8)
    tiles[: len(chosen)] = [_small(dataset.images[row]) for row in chosen]
    grid = tiles.reshape(height, width, TILE, TILE).transpose(0, 2, 1, 3)
    return grid.reshape(height * TILE, width * TILE)


def _small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(image, (TILE, TILE), interpolation=cv2.INTER_AREA), np.uint8)


def _png(image: NDArray[np.uint8]) -> str:
    return "data:image/png;base64," + base64.b64encode(encode_png(image)).decode()

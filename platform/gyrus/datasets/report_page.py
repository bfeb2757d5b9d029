"""A report as one HTML page, which needs nothing beside it."""

import base64

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from gyrus.datasets.dataset import Dataset
from gyrus.datasets.montage import examples, montage
from gyrus.datasets.report import Report
from gyrus.imaging import encode_png

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
        (count.source, count.label): _png(montage(dataset.images[rows]))
        for count in report.counts
        for rows in [examples(dataset, count.source, count.label)]
    }
    pictures = {
        image.row: _png(montage(dataset.images[[image.row]]))
        for copies in report.contradictions[:SHOWN]
        for image in copies
    }
    several = len({count.source for count in report.counts}) > 1
    return environment.get_template("report.html").render(
        report=report, montages=montages, pictures=pictures, several=several
    )


def _png(image: NDArray[np.uint8]) -> str:
    return "data:image/png;base64," + base64.b64encode(encode_png(image)).decode()

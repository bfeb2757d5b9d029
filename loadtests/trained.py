"""The model that a command asks, and the dataset that it was trained on."""

import argparse
from pathlib import Path

from gyrus.bundle import Card, verify
from gyrus.datasets import Dataset
from gyrus.errors import GyrusError
from gyrus.evaluation.seen import find_trained
from gyrus.settings import PlatformSettings
from loadtests.bench import champion


def trained(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, Path, Card, Dataset]:
    """Parse the command line, with a `--bundle`: what it says, the bundle, its card and dataset.

    Exits with 2 where one of them cannot be had.
    """
    parser.add_argument("--bundle", type=Path, help="a model bundle; else the champion's")
    given = parser.parse_args()
    try:
        bundle = given.bundle or champion()
        card = verify(bundle)
    except GyrusError as error:
        parser.error(error.detail)
    dataset = find_trained(card, PlatformSettings())
    if dataset is None:
        parser.error(f"{card.dataset} is not here as the model was trained on it")
    return given, bundle, card, dataset

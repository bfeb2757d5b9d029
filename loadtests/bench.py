"""`python -m loadtests.bench`: figures that can be compared between machines.

Each is a ratio of two things that are measured in turn, in one run, in five rounds or more. Writes
`build/bench.json` (key → median, min, max, rounds, target, at_least) and prints one table.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from gyrus.bundle import ONNX, verify
from gyrus.errors import GyrusError, NotFound
from gyrus.imaging import preprocess
from gyrus.phantom import CLASSES, draw
from gyrus.registry import Registry
from gyrus.settings import PlatformSettings
from loadtests.training import measure, ratios
from serve_app.engine import open_engine

ROUNDS = 7
TRAINING_ROUNDS = 5
PAIRS = 30
"""How often both things are done in one round; a round's figure is the ratio of their medians."""


@dataclass(frozen=True)
class Figure:
    """A measured ratio, over rounds; it should not exceed `target`, or with `at_least` reach it."""

    median: float
    min: float
    max: float
    rounds: int
    target: float
    at_least: bool = False

    @classmethod
    def of(cls, ratios: Sequence[float], target: float, *, at_least: bool = False) -> "Figure":
        """The figure that the ratios of some rounds make."""
        median = statistics.median(ratios)
        return cls(median, min(ratios), max(ratios), len(ratios), target, at_least)

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        return self.median >= self.target if self.at_least else self.median <= self.target


def ratio(
    numerator: Callable[[], object], denominator: Callable[[], object], target: float
) -> Figure:
    """How many times as long `numerator` takes as `denominator`, both done in turn."""
    numerator()
    denominator()
    ratios = []
    for _ in range(ROUNDS):
        pairs = [(seconds(numerator), seconds(denominator)) for _ in range(PAIRS)]
        above, below = zip(*pairs, strict=True)
        ratios.append(statistics.median(above) / statistics.median(below))
    return Figure.of(ratios, target)


def seconds(function: Callable[[], object]) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def serve(bundle: Path | None) -> dict[str, Figure]:
    """What an explanation costs the engine over a classification, for one image."""
    bundle = bundle or champion()
    verify(bundle)
    engine = open_engine(bundle / ONNX)
    image = preprocess(draw(CLASSES[0])[0])[0][np.newaxis, ..., np.newaxis]
    explained = ratio(
        lambda: engine.infer(image, explain=True),
        lambda: engine.infer(image, explain=False),
        target=1.15,
    )
    return {"serve.explain_over_classify": explained}


def train(_: Path | None) -> dict[str, Figure]:
    """How fast training is: beside Keras, on two workers, and beside what its input could feed."""
    targets = {
        "train.over_keras": 1.3,
        "train.two_workers_over_one": 0.95,
        "train.input_over_demand": 5.0,
    }
    found = ratios(measure(TRAINING_ROUNDS))
    return {key: Figure.of(found[key], target, at_least=True) for key, target in targets.items()}


PARTS = {"serve": serve, "train": train}


def champion() -> Path:
    """The folder of the champion's bundle.

    Raises:
        NotFound: there is no champion, or its bundle is not on this machine.
    """
    settings = PlatformSettings()
    hint = f"There is no champion's bundle in {settings.home}. Train one, or give --bundle FOLDER."
    if not settings.tracking_uri and not (settings.home / "mlflow.db").is_file():
        raise NotFound(hint)
    found = Registry(settings.registry_uri, settings.home).champion()
    if found is None or found.bundle is None:
        raise NotFound(hint)
    return found.bundle


def write(figures: dict[str, Figure], path: Path) -> None:
    """Write the figures to `path`, and keep those of other parts that stand there."""
    known = json.loads(path.read_text()) if path.is_file() else {}
    known |= {key: asdict(figure) for key, figure in figures.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")


def show(figures: dict[str, Figure]) -> None:
    """Print the figures as a table."""
    table = Table("figure", "median", "min", "max", "rounds", "target", "")
    for key, one in figures.items():
        numbers = [f"{value:.3f}" for value in (one.median, one.min, one.max)]
        sign, verdict = "≥" if one.at_least else "≤", "met" if one.met else "missed"
        table.add_row(key, *numbers, str(one.rounds), f"{sign} {one.target}", verdict)
    Console().print(table)


def main() -> int:
    """Measure, write and print; 2 when there is nothing to measure."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench")
    parser.add_argument("part", nargs="?", choices=sorted(PARTS), help="only this part")
    parser.add_argument("--bundle", type=Path, help="a model bundle; else the champion's")
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"))
    given = parser.parse_args()
    try:
        figures: dict[str, Figure] = {}
        for name, part in PARTS.items():
            if given.part in (None, name):
                figures |= part(given.bundle)
    except GyrusError as error:
        print(error.detail, file=sys.stderr)
        return 2
    write(figures, given.output)
    show(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())

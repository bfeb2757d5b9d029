"""The training of a first start, with a process that only tells what a training tells."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gyrus import phantom
from gyrus.datasets import Dataset
from gyrus.errors import TrainingFailed, Unavailable
from gyrus.launch.first_model import FIRST_DATASET, FirstModel
from gyrus.launch.local_jobs import LocalTrainings
from gyrus.launch.status import read_status, write_status
from gyrus.progress import Progress
from gyrus.settings import PlatformSettings

TELLS = """
import json, sys, time
from pathlib import Path
from gyrus.progress import Progress
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
folder = Path(given["--storage"]) / given["--run"]
def tell(kind, **fields):
    print(Progress(run=folder.name, kind=kind, **fields).model_dump_json(), flush=True)
if "--dataset" in given:
    config = {name: given["--" + name] for name in ("run", "dataset", "storage")}
    (folder / "config.json").write_text(json.dumps(config))
"""
DIES = TELLS + "tell('epoch', epoch=1, of=9)"
RESUMES = TELLS + "assert sys.argv[-1] == '--resume'; tell('done', message='version 4')"
STAYS = TELLS + "tell('epoch', epoch=1, of=9); time.sleep(600)"


class Registry:
    """The models of some runs, and perhaps a champion; what is promoted is remembered."""

    def __init__(self, champion: int | None = None, runs: Sequence[str] = ()) -> None:
        self.promoted: list[int] = []
        self._champion = champion
        self._runs = runs

    def champion(self) -> int | None:
        return self._champion

    def versions(self) -> list[Any]:
        return [
            SimpleNamespace(version=number, card=SimpleNamespace(run=run))
            for number, run in enumerate(self._runs, 1)
        ]

    def promote(self, version: int) -> Any:
        self.promoted.append(version)
        return version


class Reporter:
    """Remembers the events."""

    def __init__(self) -> None:
        self.events: list[Progress] = []

    def stage(self, message: str) -> None:
        pass

    def progress(self, event: Progress) -> None:
        self.events.append(event)

    def count(self, message: str, done: int, of: int) -> None:
        pass

    def note(self, message: str) -> None:
        pass


def first_model(home: Path, script: str, check: Any = lambda: None) -> FirstModel:
    settings = PlatformSettings(home=home)
    trainings = LocalTrainings(settings, command=[sys.executable, "-c", script])
    tell = partial(write_status, home / "status.json")
    return FirstModel(settings, trainings, Reporter(), check=check, tell=tell)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    phantom.generate(tmp_path / "datasets", name=FIRST_DATASET, patients=20, slices=1, seed=5)
    return tmp_path


def test_a_first_training_that_was_interrupted_goes_on_and_is_promoted(home: Path) -> None:
    registry: Any = Registry()
    with pytest.raises(TrainingFailed, match="before its time"):
        first_model(home, DIES).make(registry)
    assert registry.promoted == []
    again = first_model(home, RESUMES)
    assert again.make(registry) == 4
    assert registry.promoted == [4]
    status = read_status(home / "status.json")
    assert status is not None
    assert (status.stage, status.message) == ("training", "version 4")


def test_a_model_that_was_promoted_meanwhile_stays_champion(home: Path) -> None:
    registry: Any = Registry(champion=3)
    done = TELLS + "tell('done', message='version 4')"
    assert first_model(home, done).make(registry) == 3
    assert registry.promoted == []


def test_a_model_that_was_trained_before_is_promoted_once(home: Path) -> None:
    dataset = Dataset.open(home / "datasets" / FIRST_DATASET)
    runs = ["another", f"first-{FIRST_DATASET}-{dataset.digest[:8]}"]
    for champion, promoted in ((None, [2]), (1, [])):
        registry: Any = Registry(champion, runs)
        assert first_model(home, "").make(registry) == (champion or 2)
        assert registry.promoted == promoted
    assert not (home / "runs").exists()


def test_a_part_that_ends_meanwhile_is_noticed_and_the_training_can_be_stopped(home: Path) -> None:
    def check() -> None:
        if model.reporter.events:
            raise Unavailable("The ray ended.")

    model = first_model(home, STAYS, check)
    registry: Any = Registry()
    with pytest.raises(Unavailable, match="ray ended"):
        model.make(registry)
    [job] = model.trainings.jobs()
    assert job.state == "running"
    model.trainings.cancel(job.id)


def test_a_first_training_that_is_cancelled_leaves_no_champion_and_goes_on(home: Path) -> None:
    def cancel() -> None:
        if model.reporter.events:
            [job] = [one for one in model.trainings.jobs() if one.state == "running"] or [None]
            if job is not None:
                model.trainings.cancel(job.id)

    model = first_model(home, STAYS, cancel)
    registry: Any = Registry()
    assert model.make(registry) is None
    assert registry.promoted == []


def test_an_interrupt_ends_the_training_which_goes_on_later(home: Path) -> None:
    def interrupt() -> None:
        if model.reporter.events:
            raise KeyboardInterrupt

    model = first_model(home, STAYS, interrupt)
    registry: Any = Registry()
    with pytest.raises(KeyboardInterrupt):
        model.make(registry)
    [job] = model.trainings.jobs()
    assert job.state == "cancelled"
    assert first_model(home, RESUMES).make(registry) == 4

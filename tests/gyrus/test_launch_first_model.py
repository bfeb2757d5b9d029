"""The training of a first start, with a process that only tells what a training tells."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gyrus import phantom
from gyrus.errors import TrainingFailed, Unavailable
from gyrus.launch.first_model import FIRST_DATASET, FirstModel
from gyrus.launch.local_jobs import LocalTrainings
from gyrus.launch.status import read_status
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
    """Nothing is registered, but perhaps a champion; what is promoted is remembered."""

    def __init__(self, champion: int | None = None) -> None:
        self.promoted: list[int] = []
        self._champion = champion

    def champion(self) -> int | None:
        return self._champion

    def versions(self) -> list[Any]:
        return []

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
    return FirstModel(settings, None, check, trainings, home / "status.json", Reporter())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    phantom.generate(tmp_path / "datasets", name=FIRST_DATASET, patients=20, slices=1, seed=5)
    return tmp_path


def test_a_first_training_that_was_interrupted_goes_on_and_is_promoted(home: Path) -> None:
    registry: Any = Registry()
    ray: Any = SimpleNamespace(wait=lambda check: None)
    with pytest.raises(TrainingFailed, match="before its time"):
        first_model(home, DIES).make(registry, ray)
    assert registry.promoted == []
    again = first_model(home, RESUMES)
    assert again.make(registry, ray) == 4
    assert registry.promoted == [4]
    status = read_status(home / "status.json")
    assert status is not None
    assert (status.stage, status.message) == ("training", "version 4")


def test_a_model_that_was_promoted_meanwhile_stays_champion(home: Path) -> None:
    registry: Any = Registry(champion=3)
    ray: Any = SimpleNamespace(wait=lambda check: None)
    done = TELLS + "tell('done', message='version 4')"
    assert first_model(home, done).make(registry, ray) == 3
    assert registry.promoted == []


def test_a_part_that_ends_meanwhile_is_noticed_and_the_training_can_be_stopped(home: Path) -> None:
    def check() -> None:
        if model.reporter.events:
            raise Unavailable("The ray ended.")

    model = first_model(home, STAYS, check)
    ray: Any = SimpleNamespace(wait=lambda check: None)
    registry: Any = Registry()
    with pytest.raises(Unavailable, match="ray ended"):
        model.make(registry, ray)
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
    assert model.make(registry, SimpleNamespace(wait=lambda check: None)) is None
    assert registry.promoted == []

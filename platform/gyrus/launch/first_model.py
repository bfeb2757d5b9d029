"""The model of a first start: its dataset, its training, and what it is worth."""

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from gyrus.errors import Conflict, NotFound, TrainingFailed
from gyrus.launch.jobs import Job, TrainingRequest, follow, version_of
from gyrus.launch.local_jobs import LocalTrainings
from gyrus.launch.status import Stage, Status
from gyrus.progress import Progress
from gyrus.settings import PlatformSettings

if TYPE_CHECKING:
    from gyrus.datasets import Dataset
    from gyrus.registry import ModelVersion, Registry

FIRST_DATASET = "phantom"
FIRST_TRAINING: Mapping[str, Any] = {"model": "cnn", "workers": 1, "epochs": 22, "patience": 8}
"""The run of a first start: minutes on two cores, and a model that is worth showing."""

NAME_LENGTH = 32
"""So much of a name goes into a longer one: a run's name has at most 63 characters."""


class Reporter(Protocol):
    """Who tells the user how a start goes."""

    def stage(self, message: str) -> None:
        """Another stage began."""

    def progress(self, event: Progress) -> None:
        """The training went on."""

    def count(self, message: str, done: int, of: int) -> None:
        """So many of so many images are done."""

    def note(self, message: str) -> None:
        """Something to remember."""


@dataclass(frozen=True)
class FirstModel:
    """Makes a first champion, from the class folders in `source` or from generated images.

    `ready` waits until a training can begin, `check` is called in between; both may raise. `tell`
    hears how far it is.
    """

    settings: PlatformSettings
    trainings: LocalTrainings
    reporter: Reporter
    source: Path | None = None
    ready: Callable[[], None] = lambda: None
    check: Callable[[], None] = lambda: None
    tell: Callable[[Status], None] = lambda status: None

    def make(self, registry: "Registry") -> "ModelVersion | None":
        """Train a model and promote it; go on where an earlier start was interrupted.

        A model that somebody else promoted meanwhile stays champion. There is none if somebody
        cancelled the training, as an interrupt does.

        Raises:
            GyrusError: the data cannot be used, the training failed, or another part ended.
        """
        dataset = self._dataset()
        run = f"first-{dataset.name[:NAME_LENGTH]}-{dataset.digest[:8]}"
        trained = next((one for one in registry.versions() if one.card.run == run), None)
        if trained is not None:
            return registry.champion() or registry.promote(trained.version)
        self.ready()
        self._tell("training", f"Training a first model on {dataset.name}.")
        version: int | None = None
        try:
            job = self._start(run, dataset.name)
            for event in follow(self.trainings, run, job.started_at, check=self.check):
                self.tell(Status(stage="training", message=event.describe(), progress=event))
                self.reporter.progress(event)
                version = version_of(event)
        except TrainingFailed:
            if self.trainings.get(run).state != "cancelled":
                raise
            self.reporter.note("The training was cancelled; the next start goes on with it.")
            return registry.champion()
        except KeyboardInterrupt:
            with suppress(Conflict, NotFound):  # it has just ended, or not begun
                self.trainings.cancel(run)
            raise
        if version is None:
            raise TrainingFailed(f"The training {run} ended without a model.")
        return registry.champion() or registry.promote(version)

    def _start(self, run: str, dataset: str) -> Job:
        """Begin the training, or go on with it where an earlier start was interrupted."""
        if (self.settings.runs / run / "config.json").is_file():
            return self.trainings.resume(run)
        request = TrainingRequest(run=run, dataset=dataset, **FIRST_TRAINING)
        return self.trainings.create(request)

    def _dataset(self) -> "Dataset":
        from gyrus.datasets import Dataset, import_folder

        name = FIRST_DATASET if self.source is None else dataset_name(self.source)
        folder = self.settings.datasets / name
        if folder.exists():
            return Dataset.open(folder)
        if self.source is not None:
            message = f"Reading the images of {self.source}."
            self._tell("generating", message)
            return import_folder(
                self.source,
                self.settings.datasets,
                name,
                home=self.settings.home,
                progress=self._counter(message),
            )
        from gyrus.phantom import generate

        message = "Drawing images of generated patients to learn from."
        self._tell("generating", message)
        return generate(self.settings.datasets, name=name, progress=self._counter(message))

    def _counter(self, message: str) -> Callable[[int, int], None]:
        def count(done: int, of: int) -> None:
            self.check()
            self.reporter.count(message, done, of)

        return count

    def _tell(self, stage: Stage, message: str) -> None:
        self.tell(Status(stage=stage, message=message))
        self.reporter.stage(message)


def dataset_name(folder: Path) -> str:
    """A name for the dataset that is imported from `folder`; another folder has another name."""
    path = folder.resolve()
    words = "-".join(re.findall(r"[a-z0-9]+", path.name.lower()))[:NAME_LENGTH].strip("-")
    return f"{words or 'images'}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"


def describe_champion(champion: "ModelVersion | None") -> str:
    """What is served, and what that is worth, in plain words."""
    if champion is None:
        return (
            "No model is champion, so nothing is predicted yet. Train one with `gyrus train`, then "
            "`gyrus models promote`."
        )
    name = f"Model version {champion.version} ({champion.card.architecture})"
    if champion.card.synthetic:
        return f"{name} was trained on generated images only: it shows how Gyrus works, no more."
    return f"{name} was trained on {champion.card.dataset}. It is not a medical device."

"""Training jobs: what is asked, how they go, and what every launcher of them can do."""

import posixpath
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, Field

from gyrus.errors import TrainingFailed
from gyrus.plots import PlotName
from gyrus.progress import Progress
from gyrus.recipe import NAMED_WEIGHTS, Fold, Recipe, RunName

State = Literal["pending", "running", "succeeded", "failed", "cancelled"]
ALIVE: frozenset[State] = frozenset({"pending", "running"})

DatasetName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]

NAME_LENGTH = 16
"""So much of the dataset's name goes into a run's: Kubernetes allows a RayJob's name 47 letters."""

CANCELLED = "The run was cancelled."


class TrainingRequest(Recipe):
    """A recipe, the name of the dataset to learn from, and of the run."""

    run: RunName
    dataset: DatasetName
    fold: Fold = ""


class Job(BaseModel):
    """A training run as its launcher sees it; `progress` is its last event, `version` its model.

    `started_at` is later than `created_at` when it was resumed.
    """

    id: str
    state: State
    created_at: datetime
    started_at: datetime
    ended_at: datetime | None
    request: TrainingRequest
    progress: Progress | None
    version: int | None


class TrainingLauncher(Protocol):
    """Starts trainings and finds them again: nothing that it knows is in its memory alone.

    Every method blocks, and raises `Unavailable` where what runs the jobs does not answer; `get`,
    `cancel`, `events` and `plot` raise `NotFound` where there is no such job.
    """

    def create(self, request: TrainingRequest) -> Job:
        """Start a training.

        Raises:
            Conflict: a run of this name is there, or there is no room for another now. On a
                cluster a run whose job is gone is seen when the new one runs, which fails then.
            NotFound: there is no such dataset, or no such file of weights.
        """

    def jobs(self) -> list[Job]:
        """All jobs that are known, newest first."""

    def get(self, job_id: str) -> Job:
        """One job."""

    def cancel(self, job_id: str) -> None:
        """End a job; on a cluster it may take a while until it is gone.

        Raises:
            Conflict: it has ended already.
        """

    def events(self, job_id: str, after: datetime | None = None) -> Iterator[Progress | None]:
        """What a job told later than `after`, then what it tells, until it ends.

        None comes every second or so, so that who follows may stop. The last event is `done` or
        `failed`, also of a job that could not tell it itself.
        """

    def log(self, job_id: str) -> str:
        """The last lines of what a job wrote beside its events; none where there is no such job."""

    def plot(self, job_id: str, name: PlotName) -> bytes:
        """A picture of how good the model is, as PNG; `NotFound` until it is drawn."""


def run_name(dataset: str, model: str, what: str = "") -> str:
    """A name for a run, of small letters, digits and dashes; of now, if not of `what` it is."""
    words = "-".join(re.findall(r"[a-z0-9]+", dataset.lower()))[:NAME_LENGTH].strip("-")
    return f"{words or 'run'}-{model}-{what or format(datetime.now(UTC), '%Y%m%d-%H%M%S')}"


def training_arguments(request: TrainingRequest, data: str) -> list[str]:
    """The arguments of `python -m training_jobs`.

    `data` is the folder, or the address (`s3://bucket/path`), of datasets, weights and runs.
    """
    options = request.model_dump()
    if request.weights not in NAMED_WEIGHTS:
        options["weights"] = posixpath.join(data, "weights", request.weights)
    options["dataset"] = posixpath.join(data, "datasets", request.dataset)
    options["storage"] = posixpath.join(data, "runs")
    pairs = ((f"--{name.replace('_', '-')}", str(value)) for name, value in options.items())
    return [word for pair in pairs for word in pair]


def version_of(event: Progress | None) -> int | None:
    """The registered version that a run's last event names ("version N"), if it names one."""
    if event is None or event.kind != "done":
        return None
    number = event.message.removeprefix("version ")
    return int(number) if number.isdecimal() else None


def follow(
    launcher: TrainingLauncher,
    job_id: str,
    after: datetime | None = None,
    *,
    check: Callable[[], None] = lambda: None,
) -> Iterator[Progress]:
    """The events of a job as they come, to its end; `check` is called in between and may raise.

    Raises:
        TrainingFailed: the job ended without a model.
    """
    last: Progress | None = None
    for event in launcher.events(job_id, after):
        check()
        if event is not None:
            last = event
            yield event
    if last is not None and last.kind == "failed":
        raise TrainingFailed(last.message)

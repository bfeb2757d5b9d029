"""Bodies of the training endpoints."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, Field

from gyrus.launch.jobs import DatasetName, Job, State, TrainingRequest, run_name
from gyrus.progress import Progress
from gyrus.recipe import Recipe

NewRunName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,45}[a-z0-9])?$")]
"""What Kubernetes allows as a RayJob's name, on a laptop too."""


class NewTrainingJob(Recipe):
    """What to train, on which dataset.

    `weights` is `none`, `imagenet` or the name of a file in the folder `weights` beside the
    datasets. A run has a name of its own unless one is given.
    """

    dataset: DatasetName
    run: NewRunName | None = None
    weights: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")] = "none"

    def request(self) -> TrainingRequest:
        """What the launcher is asked."""
        name = self.run or run_name(self.dataset, self.model)
        return TrainingRequest(**self.model_dump() | {"run": name})


class TrainingJobOut(BaseModel):
    """A training. `progress` is its last event; `version` the model that it registered."""

    id: str
    state: State
    created_at: datetime
    ended_at: datetime | None
    request: TrainingRequest
    progress: Progress | None
    version: int | None
    links: dict[str, str]

    @classmethod
    def of(cls, job: Job) -> Self:
        """The body for a job."""
        at = f"/v1/training-jobs/{job.id}"
        links = {"self": at, "events": f"{at}/events", "plots": f"{at}/plots/{{name}}.png"}
        return cls(**job.model_dump(exclude={"started_at"}), links=links)


class TrainingJobPage(BaseModel):
    """The trainings, newest first."""

    items: list[TrainingJobOut]
    next_cursor: str | None


class LogTail(BaseModel):
    """The last lines of what a training wrote beside its events."""

    tail: str

"""Trainings, for administrators."""

from collections.abc import AsyncIterable
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import AwareDatetime

from frontend_api.dependencies import Admin, Gateway
from frontend_api.problems import documented
from frontend_api.responses import Png
from frontend_api.trainings.schemas import (
    LogTail,
    NewTrainingJob,
    TrainingJobOut,
    TrainingJobPage,
)
from gyrus.errors import Conflict, Forbidden, InputError, NotFound, Unauthorized, Unavailable
from gyrus.launch.jobs import Job
from gyrus.plots import PlotName

router = APIRouter(prefix="/v1/training-jobs", tags=["training"])

JobId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


@router.post(
    "",
    status_code=201,
    responses=documented(InputError, Unauthorized, Forbidden, NotFound, Conflict, Unavailable),
)
async def create(
    _admin: Admin, gateway: Gateway, new: NewTrainingJob, response: Response
) -> TrainingJobOut:
    """Start a training."""
    job = await gateway.trainings.create(new.request())
    response.headers["Location"] = f"/v1/training-jobs/{job.id}"
    return TrainingJobOut.of(job)


@router.get("", responses=documented(Unauthorized, Forbidden, Unavailable))
async def jobs(_admin: Admin, gateway: Gateway) -> TrainingJobPage:
    """All trainings, newest first."""
    found = await gateway.trainings.jobs()
    return TrainingJobPage(items=[TrainingJobOut.of(job) for job in found], next_cursor=None)


# A dependency, so that an unknown job is a problem and not an empty stream.
async def _job(_admin: Admin, gateway: Gateway, job_id: JobId) -> Job:
    return await gateway.trainings.get(job_id)


KnownJob = Annotated[Job, Depends(_job)]
ONE = (InputError, Unauthorized, Forbidden, NotFound, Unavailable)


@router.get("/{job_id}", responses=documented(*ONE))
async def get(job: KnownJob) -> TrainingJobOut:
    """One training."""
    return TrainingJobOut.of(job)


@router.delete("/{job_id}", status_code=204, responses=documented(*ONE, Conflict))
async def cancel(_admin: Admin, gateway: Gateway, job_id: JobId) -> None:
    """Cancel a training that has not ended."""
    await gateway.trainings.cancel(job_id)


@router.get("/{job_id}/events", response_class=EventSourceResponse, responses=documented(*ONE))
async def events(
    job: KnownJob,
    gateway: Gateway,
    last_event_id: Annotated[
        AwareDatetime | None, Header(description="Go on after this event: its id is its time.")
    ] = None,
) -> AsyncIterable[ServerSentEvent]:
    """Follow a training from its beginning to its end, as server-sent events.

    An event `progress` is a `Progress`, the last of which is of kind `done` or `failed`; an event
    `log` holds the last lines of the training's log, and comes when these have changed.
    """
    async for event in gateway.trainings.events(job.id, last_event_id):
        if isinstance(event, LogTail):
            yield ServerSentEvent(event="log", data=event)
        else:
            yield ServerSentEvent(event="progress", data=event, id=event.time.isoformat())


@router.get("/{job_id}/plots/{name}.png", response_class=Png, responses=documented(*ONE))
async def plot(_admin: Admin, gateway: Gateway, job_id: JobId, name: PlotName) -> Png:
    """How the training went, or how good its model is on the test split."""
    return Png(await gateway.trainings.plot(job_id, name))

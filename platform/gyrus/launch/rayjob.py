"""A training as a KubeRay RayJob: made from a template, and read again.

What was asked stands in an annotation, how far it is in the status, and its events are told by the
pods that submitted it.
"""

import secrets
import shlex
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from gyrus.errors import InputError
from gyrus.launch.jobs import (
    ALIVE,
    CANCELLED,
    Job,
    State,
    TrainingRequest,
    training_arguments,
    version_of,
)
from gyrus.progress import Progress
from gyrus.registry import ModelVersion

RUN_LABEL = "gyrus.dev/run"
REQUEST_ANNOTATION = "gyrus.dev/request"

DEPLOYMENT_STATES: dict[str, State] = {
    "Complete": "succeeded",
    "Failed": "failed",
    "ValidationFailed": "failed",
    "Running": "running",
    "Retrying": "running",
}
"""What the operator says of a job that has or had a cluster; all else is yet to run."""


def rayjob(template: dict[str, Any], request: TrainingRequest, data: str) -> dict[str, Any]:
    """The RayJob of a training: the template with a name, a command and so many workers.

    Raises:
        InputError: the template is no RayJob with a group of workers.
    """
    try:
        metadata = template.setdefault("metadata", {})
        [workers] = template["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError("The template of trainings has no one group of workers.") from error
    metadata["name"] = request.run
    metadata["labels"] = {**metadata.get("labels", {}), RUN_LABEL: request.run}
    asked = {REQUEST_ANNOTATION: request.model_dump_json()}
    metadata["annotations"] = {**metadata.get("annotations", {}), **asked}
    workers |= dict.fromkeys(("replicas", "maxReplicas"), request.workers)
    workers["minReplicas"] = request.fewest_workers
    # The operator submits the same command again when the head was lost: only then does it go on
    # with a run that is there. One of an earlier RayJob of this name keeps its own.
    again = ["--job", secrets.token_hex(8), "--resume-if-exists"]
    arguments = [*training_arguments(request, data), *again]
    template["spec"]["entrypoint"] = shlex.join(["python", "-m", "training_jobs", *arguments])
    return template


def is_ours(found: Any) -> bool:
    """Whether a RayJob was made here, from a request that this version knows."""
    try:
        _request(found)
    except (KeyError, ValidationError):
        return False
    return True


def state_of(found: Any) -> State:
    """How far a RayJob is."""
    status = found.get("status", {})
    if "deletionTimestamp" in found["metadata"] or status.get("jobStatus") == "STOPPED":
        return "cancelled"
    state = DEPLOYMENT_STATES.get(status.get("jobDeploymentStatus", ""), "pending")
    if state == "running" and status.get("jobStatus", "PENDING") == "PENDING":
        return "pending"
    return state


def job_of(found: Any, last: Progress | None) -> Job:
    """A RayJob and the last event that its pods told."""
    metadata, status, state = found["metadata"], found.get("status", {}), state_of(found)
    created = datetime.fromisoformat(metadata["creationTimestamp"])
    ended = None
    if state not in ALIVE:
        end = status.get("endTime") or metadata.get("deletionTimestamp")
        ended = datetime.fromisoformat(end) if end else datetime.now(UTC)
    if ended is not None and state != "succeeded" and (last is None or last.kind != "failed"):
        reason = status.get("message") or status.get("reason") or "The job ended before its time."
        time = max(ended, last.time + timedelta(milliseconds=1)) if last else ended
        last = cut_short(metadata["name"], time, CANCELLED if state == "cancelled" else reason)
    return Job(
        id=metadata["name"],
        state=state,
        created_at=created,
        started_at=created,
        ended_at=ended,
        request=_request(found),
        progress=last,
        version=version_of(last),
    )


def with_version(job: Job, model: ModelVersion | None) -> Job:
    """A job that succeeded, but whose last event is lost; `model` is what it registered."""
    time = job.ended_at or datetime.now(UTC)
    if job.progress is not None:
        time = max(time, job.progress.time + timedelta(milliseconds=1))
    done = Progress(run=job.id, kind="done", time=time, message="Its model is not registered.")
    if model is not None:
        message = f"version {model.version}"
        done = done.model_copy(update={"metrics": model.card.metrics.flat(), "message": message})
    return job.model_copy(update={"progress": done, "version": version_of(done)})


def _request(found: Any) -> TrainingRequest:
    annotations = found["metadata"].get("annotations", {})
    return TrainingRequest.model_validate_json(annotations[REQUEST_ANNOTATION])


def cut_short(job_id: str, time: datetime, message: str) -> Progress:
    """The last event of a job that could not tell it itself."""
    return Progress(run=job_id, kind="failed", time=time, message=message)

"""Training jobs on a cluster: RayJobs, whose state is Kubernetes' own."""

import logging
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import yaml
from lightkube import Client, operators
from lightkube.resources.core_v1 import Pod

from gyrus.errors import Conflict, NotFound, Unavailable
from gyrus.launch.jobs import ALIVE, CANCELLED, Job, TrainingRequest
from gyrus.launch.kubernetes_api import RayJob, answering, read_log
from gyrus.launch.rayjob import (
    RUN_LABEL,
    cut_short,
    is_ours,
    job_of,
    rayjob,
    state_of,
    with_version,
)
from gyrus.plots import PlotName
from gyrus.progress import Progress, parse_events
from gyrus.registry import Registry

POLL_S = 2.0
SKEW_S = 60
"""A node's clock may differ by so much from ours."""

LAST_LOOKS = 4
"""So often an ended job is looked at for its last event, which comes through another pod."""

LAST_LINES = 500
LOG_LINES = 40
JOB_LABEL = "job-name"
COLOURS = re.compile("\x1b\\[[0-9;]*m")

logger = logging.getLogger("gyrus.trainings")


class RayJobs:
    """The trainings of one namespace, over the Kubernetes API that `client` reaches.

    `data` is the folder, or the address, where its pods find datasets, weights and runs, and
    `registry` has what they made, also when the pods that told it are gone. A job that
    lost its head is submitted again by the operator, and goes on from its checkpoint. One that is
    cancelled, or older than the template keeps it, is gone from Kubernetes.
    """

    def __init__(
        self,
        template: Path,
        namespace: str,
        data: str,
        registry: Registry,
        client: Client,
        *,
        poll_s: float = POLL_S,
    ) -> None:
        self._template = template
        self._namespace = namespace
        self._data = data
        self._registry = registry
        self._client = client
        self._poll_s = poll_s

    def create(self, request: TrainingRequest) -> Job:
        """Start a training; whether its dataset is there is seen when it runs."""
        body = rayjob(yaml.safe_load(self._template.read_text()), request, self._data)
        with _answering(request.run):
            made = self._client.create(RayJob(**body), namespace=self._namespace)
        return job_of(made, None)

    def jobs(self) -> list[Job]:
        """All jobs that Kubernetes keeps, newest first."""
        with _answering():
            found = self._client.list(
                RayJob, namespace=self._namespace, labels={RUN_LABEL: operators.exists()}
            )
            ours = [one for one in found if is_ours(one)]
        pods = self._pods(operators.exists())
        jobs = [self._seen(one, pods[one["metadata"]["name"]]) for one in ours]
        return sorted(jobs, key=lambda job: job.created_at, reverse=True)

    def get(self, job_id: str) -> Job:
        """One job."""
        return self._seen(self._read(job_id), self._pods(job_id)[job_id])

    def cancel(self, job_id: str) -> None:
        """Delete a job with its cluster; the run's folder stays."""
        if state_of(self._read(job_id)) not in ALIVE:
            raise Conflict(f"The training job {job_id} has ended already.")
        with _answering(job_id):
            self._client.delete(RayJob, job_id, namespace=self._namespace)

    def events(self, job_id: str, after: datetime | None = None) -> Iterator[Progress | None]:
        """What a job told later than `after`, then what it tells, until it ends."""
        self._read(job_id)
        return self._events(job_id, after)

    def log(self, job_id: str) -> str:
        """The last lines that are no events."""
        told = self._lines(self._pods(job_id)[job_id], tail_lines=LAST_LINES)
        text = COLOURS.sub("", told)
        rest = "\n".join(line for line in text.split("\n") if not parse_events(line))
        return "\n".join(rest.splitlines()[-LOG_LINES:])

    def plot(self, job_id: str, name: PlotName) -> bytes:
        """A picture from MLflow, which has it when the model is registered."""
        found, pods = self._read(job_id), self._pods(job_id)[job_id]
        version = self._job(found, self._last(pods)).version
        if version is None:
            raise NotFound(f"The training job {job_id} has no plot {name} yet.")
        return self._registry.plot(version, name)

    def _read(self, job_id: str) -> Any:
        with _answering(job_id):
            found = self._client.get(RayJob, job_id, namespace=self._namespace)
        if not is_ours(found):
            raise NotFound(f"There is no training job {job_id}.")
        return found

    def _seen(self, found: Any, pods: list[str]) -> Job:
        """A job as far as it is known; MLflow need not answer."""
        last = self._last(pods)
        with suppress(Unavailable):
            return self._job(found, last)
        return job_of(found, last)

    def _job(self, found: Any, last: Progress | None) -> Job:
        job = job_of(found, last)
        told = last is not None and last.kind == "done"
        if job.state != "succeeded" or told:
            return job
        return with_version(job, self._registry.made_by(job.id))

    def _events(self, job_id: str, after: datetime | None) -> Iterator[Progress | None]:
        since = after or datetime.min.replace(tzinfo=UTC)
        looks_left = LAST_LOOKS
        told = ""
        while True:
            try:
                # Asked before the lines are read: a job that has ended told them before, or soon
                # will.
                found, pods = self._read(job_id), self._pods(job_id)[job_id]
                window = None
                if since.year > 1:
                    window = max(int((datetime.now(UTC) - since).total_seconds()), 0) + SKEW_S
                last: Progress | None = None
                for event in parse_events(self._lines(pods, seconds=window)):
                    last = event
                    if event.time > since:
                        since = event.time
                        told = event.kind
                        yield event
                state = state_of(found)
                if state not in ALIVE:
                    looks_left -= 1
                    end = "done" if state == "succeeded" else "failed"
                    if looks_left <= 0 or (last is not None and last.kind == end):
                        closing = self._job(found, last).progress
                        # Workers and head have clocks of their own: the end is told, however old
                        # it looks.
                        if told != end:
                            yield closing
                        return
            except NotFound:
                now = max(since + timedelta(milliseconds=1), datetime.now(UTC))
                yield cut_short(job_id, now, CANCELLED)
                return
            except Unavailable as error:
                # For now: who follows shall not have to begin again.
                logger.warning("the events of %s are not known: %s", job_id, error.detail)
            yield None
            time.sleep(self._poll_s)

    def _last(self, pods: list[str]) -> Progress | None:
        for pod in reversed(pods):
            events = parse_events(self._lines([pod], tail_lines=LAST_LINES))
            if events:
                return events[-1]
        return None

    def _pods(self, job: Any) -> defaultdict[str, list[str]]:
        """The pods that submitted each job, oldest first: one that was retried has several."""
        pods: defaultdict[str, list[str]] = defaultdict(list)
        with _answering():
            found = self._client.list(Pod, namespace=self._namespace, labels={JOB_LABEL: job})
            metadata = [pod.metadata for pod in found if pod.metadata is not None]
        metadata.sort(key=lambda one: one.creationTimestamp or datetime.max.replace(tzinfo=UTC))
        for one in metadata:
            pods[(one.labels or {}).get(JOB_LABEL, "")].append(one.name or "")
        return pods

    def _lines(
        self, pods: list[str], *, seconds: int | None = None, tail_lines: int | None = None
    ) -> str:
        """What pods wrote, of each only that of the last `seconds`, or the last lines.

        One that cannot be read, as on a node that was lost, is left out.
        """
        texts = []
        for name in pods:
            try:
                texts.append(read_log(self._client, name, self._namespace, seconds, tail_lines))
            except httpx2.HTTPError as error:
                answer = getattr(error, "response", None)
                # Unless it has not started yet, or is gone since.
                if answer is None or answer.status_code not in {400, 404}:
                    logger.warning("the log of the pod %s cannot be read: %r", name, error)
        return "\n".join(texts)


@contextmanager
def _answering(job_id: str = "") -> Iterator[None]:
    """What Kubernetes refuses within the block becomes an error of ours."""
    with answering("the training job"):
        try:
            yield
        except httpx2.HTTPStatusError as error:
            code = error.response.status_code
            if code == httpx2.codes.NOT_FOUND and job_id:
                raise NotFound(f"There is no training job {job_id}.") from error
            if code == httpx2.codes.CONFLICT:
                raise Conflict(
                    f"A training job {job_id} is there already. Name another."
                ) from error
            raise

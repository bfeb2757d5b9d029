"""The launcher of trainings, asked from threads."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

import anyio
import anyio.to_thread

from frontend_api.trainings.schemas import LogTail
from gyrus.errors import Unavailable
from gyrus.launch.jobs import Job, TrainingLauncher, TrainingRequest
from gyrus.plots import PlotName
from gyrus.progress import Progress

Answer = TypeVar("Answer")

FOLLOWERS = 32
"""So many event streams wait in threads at once; these are not the threads of other requests."""

LOG_EVERY_S = 5.0


class TrainingService:
    """Starts, follows and ends trainings."""

    def __init__(self, launcher: TrainingLauncher) -> None:
        self._launcher = launcher
        self._followers = anyio.CapacityLimiter(FOLLOWERS)

    async def create(self, request: TrainingRequest) -> Job:
        """Start a training; raises what `TrainingLauncher.create` does."""
        return await anyio.to_thread.run_sync(self._launcher.create, request)

    async def jobs(self) -> list[Job]:
        """All jobs, newest first."""
        return await anyio.to_thread.run_sync(self._launcher.jobs)

    async def get(self, job_id: str) -> Job:
        """One job; raises `NotFound`."""
        return await anyio.to_thread.run_sync(self._launcher.get, job_id)

    async def cancel(self, job_id: str) -> None:
        """End a job; raises `NotFound`, or `Conflict` when it has ended already."""
        await anyio.to_thread.run_sync(self._launcher.cancel, job_id)

    async def plot(self, job_id: str, name: PlotName) -> bytes:
        """A plot as PNG; raises `NotFound`."""
        return await anyio.to_thread.run_sync(self._launcher.plot, job_id, name)

    async def events(
        self, job_id: str, after: datetime | None
    ) -> AsyncIterator[Progress | LogTail]:
        """What a job told later than `after` and tells from now on; its log when that changed."""
        events = await self._follow(lambda: self._launcher.events(job_id, after))
        text = log = ""
        looked = 0.0
        ended = False
        while not ended:
            event = await self._follow(lambda: next(events, END))
            if isinstance(event, Progress):
                yield event
            ended = event is END
            if ended or time.monotonic() - looked > LOG_EVERY_S:
                looked = time.monotonic()
                with suppress(Unavailable):
                    text = await self._follow(lambda: self._launcher.log(job_id))
                if text != log:
                    log = text
                    yield LogTail(tail=log)

    async def _follow(self, ask: Callable[[], Answer]) -> Answer:
        return await anyio.to_thread.run_sync(ask, limiter=self._followers)


class _End:
    """What `next` gives when there are no more events."""


END = _End()

"""The files of a local run from which everyone can tell how it goes, and whether it lives.

Its process holds the lock from start to end. Its events, which it prints, go to one file, what else
it writes to another; `job.json` is the launcher's own note.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

from pydantic import BaseModel, ValidationError

from gyrus.errors import NotFound
from gyrus.files import write_whole
from gyrus.launch.jobs import CANCELLED, Job, State, TrainingRequest, version_of
from gyrus.locks import is_held
from gyrus.progress import Progress, parse_events

RECORD = "job.json"
INTERRUPTED = (
    "The run ended before its time. `gyrus jobs show {run}` shows the end of its log, "
    "`gyrus train --resume {run}` goes on with it."
)
TAIL_BYTES = 8192


class Record(BaseModel):
    """What the launcher notes of a run; `mark` is that of a run with a Ray of its own.

    `created_at` is when it started first, `started_at` when it started or was resumed last.
    """

    request: TrainingRequest
    created_at: datetime
    started_at: datetime
    pid: int = 0
    mark: str = ""
    cancelled: bool = False


class RunFiles:
    """The folder of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = folder / "lock"
        self.events = folder / "events.jsonl"
        self.log = folder / "training.log"

    def read(self) -> Record:
        """The launcher's note.

        Raises:
            NotFound: there is none, so there is no such job.
        """
        try:
            return Record.model_validate_json((self.folder / RECORD).read_bytes())
        except (OSError, ValidationError) as error:
            raise NotFound(f"There is no training job {self.folder.name}.") from error

    def write(self, record: Record) -> None:
        """Replace the launcher's note."""
        write_whole(self.folder / RECORD, record.model_dump_json(indent=2) + "\n")

    def job(self) -> Job:
        """How the run goes, or went."""
        record = self.read()
        # Asked before the events are read: a run that has ended wrote all of them before.
        alive = is_held(self.lock)
        last = next(reversed(parse_events(tail(self.events))), None)
        told = last if last is not None and last.time >= record.started_at else None
        state: State
        if told is not None and told.kind == "done":
            state = "succeeded"
        elif alive:
            state = "running" if told is not None else "pending"
        else:
            state = "cancelled" if record.cancelled else "failed"
            if told is None or told.kind != "failed":
                told = self._cut_short(record, last)
        ended = None if state in {"pending", "running"} or told is None else told.time
        return Job(
            id=record.request.run,
            state=state,
            created_at=record.created_at,
            started_at=record.started_at,
            ended_at=ended,
            request=record.request,
            progress=told or last,
            version=version_of(told),
        )

    def _cut_short(self, record: Record, last: Progress | None) -> Progress:
        """The last event of a run that could not tell it itself."""
        changed = max(path.stat().st_mtime for path in (self.folder, self.events, self.log))
        times = [datetime.fromtimestamp(changed, UTC), record.started_at]
        if last is not None:
            times.append(last.time + timedelta(milliseconds=1))
        message = CANCELLED if record.cancelled else INTERRUPTED.format(run=record.request.run)
        reached = last.model_dump(include={"step", "epoch", "of"}) if last is not None else {}
        return Progress(
            run=record.request.run, kind="failed", time=max(times), message=message, **reached
        )


def read_events(file: TextIO) -> Iterator[Progress]:
    """The events from here to the end of the file; half a line is left for the next time."""
    while True:
        start = file.tell()
        line = file.readline()
        if not line.endswith("\n"):
            file.seek(start)
            return
        yield from parse_events(line)


def tail(path: Path) -> str:
    """The last whole lines of a file; nothing if there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - TAIL_BYTES, 0))
            lines = file.read().decode(errors="replace").splitlines(keepends=True)
    except FileNotFoundError:
        return ""
    return "".join(lines[1:] if size > TAIL_BYTES else lines)

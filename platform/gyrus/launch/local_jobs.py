"""Training jobs as processes on this machine."""

import importlib.util
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path

from gyrus.errors import Conflict, NotFound, Unavailable
from gyrus.launch.instance import RunFolder
from gyrus.launch.jobs import ALIVE, Job, TrainingRequest, training_arguments
from gyrus.launch.processes import MARK, end, members, sweep
from gyrus.launch.ray_head import LOCAL_RAY
from gyrus.launch.run_files import RECORD, Record, RunFiles, read_events, tail
from gyrus.locks import hold, is_held
from gyrus.plots import FOLDER as PLOTS
from gyrus.plots import PlotName
from gyrus.progress import Progress
from gyrus.recipe import NAMED_WEIGHTS
from gyrus.registry import IMPATIENCE
from gyrus.settings import PlatformSettings

COMMAND = (sys.executable, "-P", "-m", "training_jobs")
GRACE_S = 15.0
START_S = 10.0
POLL_S = 0.3


class LocalTrainings:
    """The trainings of one home, on the Ray of a running `gyrus up` or each on its own.

    One runs at a time. It ends when it is done, is cancelled, or `gyrus up` stops; not with the
    process that started it.
    """

    def __init__(self, settings: PlatformSettings, *, command: Sequence[str] = COMMAND) -> None:
        self.home = settings.home.expanduser().resolve()
        self._runs = self.home / "runs"
        self._tracking_uri = settings.model_copy(update={"home": self.home}).registry_uri
        self._command = command

    def create(self, request: TrainingRequest) -> Job:
        """Start a training; see `TrainingLauncher`."""
        self._check_tensorflow()
        if not (self.home / "datasets" / request.dataset / "dataset.json").is_file():
            raise NotFound(
                f"There is no dataset {request.dataset}. `gyrus data list` shows which there are."
            )
        weights = self.home / "weights" / request.weights
        if request.weights not in NAMED_WEIGHTS and not weights.is_file():
            raise NotFound(f"There is no weights file {weights}.")
        if (self._runs / request.run / "config.json").exists():
            raise Conflict(f"A run named {request.run} is there already. Name another.")
        return self._start(request, training_arguments(request, str(self.home)))

    def resume(self, job_id: str) -> Job:
        """Go on with a run that ended before its time, as it was asked.

        Raises:
            NotFound: there is no such run.
            Conflict: it runs, or another one does.
        """
        self._check_tensorflow()
        path = self._runs / job_id / "config.json"
        if not path.is_file():  # it ended before it had begun
            return self.create(self._files(job_id).read().request)
        config = json.loads(path.read_bytes())
        dataset, storage = Path(config["dataset"]).name, config["storage"]
        fields = TrainingRequest.model_fields
        asked = {name: value for name, value in config.items() if name in fields}
        request = TrainingRequest(**asked | {"dataset": dataset})
        return self._start(request, ["--run", job_id, "--storage", storage, "--resume"])

    def jobs(self) -> list[Job]:
        """All jobs, newest first."""
        jobs = []
        for path in self._runs.glob(f"[!.]*/{RECORD}"):
            with suppress(NotFound):  # a note that another version of Gyrus made
                jobs.append(RunFiles(path.parent).job())
        return sorted(jobs, key=lambda job: job.created_at, reverse=True)

    def get(self, job_id: str) -> Job:
        """One job."""
        return self._files(job_id).job()

    def cancel(self, job_id: str) -> None:
        """End a job; what it saved stays, and it can be resumed."""
        files = self._files(job_id)
        files.read()
        with self._alone():
            if files.job().state not in ALIVE:
                raise Conflict(f"The training job {job_id} has ended already.")
            record = files.read().model_copy(update={"cancelled": True})
            files.write(record)
        _end(record)

    def stop(self) -> None:
        """End what runs on the Ray of this home's `gyrus up`; it can be resumed."""
        with self._alone():
            records = [self._files(job.id).read() for job in self.jobs() if job.state in ALIVE]
        for record in records:
            if not record.mark:
                _end(record)

    def events(self, job_id: str, after: datetime | None = None) -> Iterator[Progress | None]:
        """What a job told later than `after`, then what it tells, until it ends."""
        files = self._files(job_id)
        files.read()
        return self._events(files, after or datetime.min.replace(tzinfo=UTC))

    def log(self, job_id: str) -> str:
        """The last lines of a job's log."""
        return tail(self._files(job_id).log)

    def plot(self, job_id: str, name: PlotName) -> bytes:
        """A picture from a run's folder."""
        path = self._runs / job_id / PLOTS / f"{name}.png"
        if not path.is_file():
            self.get(job_id)
            raise NotFound(f"The training job {job_id} has no plot {name} yet.")
        return path.read_bytes()

    def _files(self, job_id: str) -> RunFiles:
        return RunFiles(self._runs / job_id)

    def _events(self, files: RunFiles, since: datetime) -> Iterator[Progress | None]:
        with files.events.open() as file:
            while True:
                # Asked before the events are read: a run that has ended wrote all of them before.
                alive = is_held(files.lock)
                for event in read_events(file):
                    if event.time > since:
                        since = event.time
                        yield event
                if not alive:
                    break
                yield None
                time.sleep(POLL_S)
        last = files.job().progress
        if last is not None and last.kind == "failed" and last.time > since:
            yield last

    def _start(self, request: TrainingRequest, arguments: list[str]) -> Job:
        files = self._files(request.run)
        with self._alone():
            running = next((job for job in self.jobs() if job.state in ALIVE), None)
            if running is not None:
                raise Conflict(
                    f"The training {running.id} runs, and one runs at a time. Wait for it, or "
                    f"cancel it: gyrus jobs cancel {running.id}"
                )
            environment, mark = self._environment()
            now = created = datetime.now(UTC)
            with suppress(NotFound):
                created = files.read().created_at
            record = Record(request=request, created_at=created, started_at=now, mark=mark)
            files.folder.mkdir(exist_ok=True)
            with (
                hold(files.lock, seconds=START_S) as lock,
                files.events.open("a") as events,
                files.log.open("a") as log,
            ):
                files.write(record)
                process = subprocess.Popen(
                    [*self._command, *arguments],
                    env=environment,
                    cwd=self.home,
                    stdin=subprocess.DEVNULL,
                    stdout=events,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=(lock.fileno(),),
                )
                files.write(record.model_copy(update={"pid": process.pid}))
        # Whoever started it is its parent, and must collect it when it ends.
        threading.Thread(target=process.wait, daemon=True).start()
        return files.job()

    def _check_tensorflow(self) -> None:
        if importlib.util.find_spec("tensorflow") is None:
            raise Unavailable("This installation cannot train: it has no TensorFlow.")

    def _alone(self) -> AbstractContextManager[object]:
        """Nobody else starts or cancels a run within the block."""
        self._runs.mkdir(parents=True, exist_ok=True)
        return hold(self._runs / ".lock", seconds=START_S)

    def _environment(self) -> tuple[dict[str, str], str]:
        """The environment of a run, and a mark for its processes if it has a Ray of its own."""
        folder = RunFolder(self.home)
        instance = folder.running()
        own = "" if instance is not None else secrets.token_hex(8)
        environment = {
            # Not the gateway's secrets; and a training's hours of work are worth a wait.
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith("GYRUS_") and IMPATIENCE.get(name) != value
            },
            **LOCAL_RAY,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "GYRUS_HOME": str(self.home),
            "GYRUS_TRACKING_URI": self._tracking_uri,
            MARK: own or (instance.mark if instance is not None else ""),
        }
        for name in ("RAY_ADDRESS", "RAY_NAMESPACE"):
            environment.pop(name, None)
        if instance is not None:
            environment |= {
                "RAY_ADDRESS": instance.ray_address,
                "RAY_AUTH_MODE": "token",
                "RAY_AUTH_TOKEN_PATH": str(folder.ray_token),
            }
        return environment, own


def _end(record: Record) -> None:
    """End a run that lives, so its process is still the one that was noted."""
    family = members({record.pid} if record.pid else (), record.mark)
    leader = [process for process in family if process.pid == record.pid]
    end(leader, grace=GRACE_S)
    end(family, grace=2.0)
    if record.mark:
        sweep(record.mark)

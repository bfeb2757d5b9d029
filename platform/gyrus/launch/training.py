"""A training run as a process: how it is started, and what it tells."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from gyrus.errors import InputError, TrainingFailed
from gyrus.progress import Progress

TRAINING = "training"
BAD_INPUT = 2


def training_command(run: str, storage: Path, options: Mapping[str, object]) -> list[str]:
    """The command of a run; `options` are `training_jobs`' own, a flag is `True`."""
    command = [sys.executable, "-P", "-m", "training_jobs"]
    for name, value in {"run": run, "storage": storage, **options}.items():
        command += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return command


def follow(process: subprocess.Popen[str], log: Path) -> Iterator[Progress]:
    """The events of a run as they come, to the end.

    Raises:
        InputError: what was asked cannot be done.
        TrainingFailed: the run ended without success.
    """
    if process.stdout is None:
        raise ValueError("the process was not started with pipe=True")
    last: Progress | None = None
    for line in process.stdout:
        try:
            event = Progress.model_validate_json(line)
        except ValidationError:
            continue
        last = event
        yield event
    code = process.wait()
    if code == 0 and last is not None and last.kind == "done":
        return
    told = last.message if last is not None and last.kind == "failed" else ""
    if code == BAD_INPUT and told:
        raise InputError(told)
    raise TrainingFailed(told or f"The training ended (exit code {code}). See {log}.")


def version_of(event: Progress) -> int:
    """The registered version that a run's last event names ("version N")."""
    return int(event.message.removeprefix("version "))

"""Trainings as processes of their own, for tests that disturb them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

Events = list[dict[str, Any]]
Meanwhile = Callable[["subprocess.Popen[str]", Events], None]

EPOCHS = 10
BATCH = 16


def asked(dataset: Path | str, *more: str) -> list[str]:
    """A few epochs of two workers, some seconds each."""
    command = ["--dataset", str(dataset), "--workers", "2", "--epochs", str(EPOCHS)]
    command += ["--filters", "8", "--batch", str(BATCH), "--patience", str(EPOCHS)]
    return [*command, *more]


def train(
    home: Path,
    run: str,
    options: list[str],
    *,
    storage: str = "",
    ray: str = "",
    meanwhile: Meanwhile | None = None,
    code: int = 0,
) -> Events:
    """Run `python -m training_jobs`, with a Ray of its own or on that of the address `ray`.

    After each event `meanwhile` is called with the process and all events so far; returns those.
    """
    command = [sys.executable, "-m", "training_jobs", "--run", run]
    command += ["--storage", storage or str(home / "runs"), *options]
    environment = {**os.environ, "GYRUS_HOME": str(home)}
    environment.pop("RAY_ADDRESS", None)
    if ray:
        environment["RAY_ADDRESS"] = ray
    log = home / f"{run}.log"
    events: Events = []
    with (
        log.open("ab") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            events.append(json.loads(line))
            if meanwhile is not None:
                meanwhile(process, events)
    assert process.returncode == code, f"{events[-1:]} {log.read_text()[-2000:]}"
    return events


def kinds(events: Events) -> list[str]:
    return [event["kind"] for event in events]


def workers(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """The workers of a run that has a Ray of its own."""
    family = psutil.Process(process.pid).children(recursive=True)
    return [one for one in family if "RayTrainWorker" in " ".join(one.cmdline())]


def kill_worker(process: "subprocess.Popen[str]") -> None:
    """Kill one of the two workers of a run that has a Ray of its own."""
    [_, second] = workers(process)
    second.kill()


def kill_all(process: "subprocess.Popen[str]") -> None:
    """Kill a run with all of its processes."""
    family = psutil.Process(process.pid).children(recursive=True)
    for one in [psutil.Process(process.pid), *family]:
        with suppress(psutil.NoSuchProcess):
            one.kill()


def checkpoints(number: int) -> Callable[[Events], bool]:
    """Whether so many checkpoints were told of."""
    return lambda events: kinds(events).count("checkpoint") == number


class Once:
    """Does something once, when `when` is true of the events so far."""

    def __init__(
        self,
        when: Callable[[Events], bool],
        action: Callable[["subprocess.Popen[str]"], None],
    ) -> None:
        self.done = False
        self._when, self._action = when, action

    def __call__(self, process: "subprocess.Popen[str]", events: Events) -> None:
        if not self.done and self._when(events):
            self.done = True
            self._action(process)

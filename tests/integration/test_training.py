"""Whole training runs on a real Ray: spread, interrupted and resumed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from gyrus import phantom
from gyrus.datasets import Dataset

pytestmark = pytest.mark.ray

EPOCHS = 6
BATCH = 4


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("datasets")
    return phantom.generate(folder, name="tiny", patients=32, slices=2, seed=5)


def train(
    dataset: Dataset, home: Path, run: str, *, meanwhile: Callable[..., None] | None = None
) -> list[dict[str, Any]]:
    """Run `python -m training_jobs` with two workers; returns its events."""
    command = [sys.executable, "-m", "training_jobs", "--run", run]
    command += ["--storage", str(home / "runs"), "--dataset", str(dataset.folder)]
    command += ["--workers", "2", "--epochs", str(EPOCHS), "--filters", "4"]
    command += ["--batch", str(BATCH), "--patience", str(EPOCHS)]
    environment = {**os.environ, "GYRUS_HOME": str(home)}
    environment.pop("RAY_ADDRESS", None)
    log = home / f"{run}.log"
    events = []
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            events.append(json.loads(line))
            if meanwhile is not None:
                meanwhile(process, events)
    assert process.returncode == 0, log.read_text()[-2000:]
    return events


def test_a_killed_worker_costs_no_step(dataset: Dataset, tmp_path: Path) -> None:
    undisturbed = train(dataset, tmp_path, "undisturbed")
    killed: list[int] = []

    def kill(process: subprocess.Popen[str], events: list[dict[str, Any]]) -> None:
        if killed or [event["kind"] for event in events].count("checkpoint") < 3:
            return
        workers = [
            child
            for child in psutil.Process(process.pid).children(recursive=True)
            if "RayTrainWorker" in " ".join(child.cmdline())
        ]
        assert len(workers) == 2
        os.kill(workers[1].pid, signal.SIGKILL)
        killed.append(workers[1].pid)

    disturbed = train(dataset, tmp_path, "disturbed", meanwhile=kill)
    assert killed
    assert "restart" in {event["kind"] for event in disturbed}
    assert undisturbed[-1]["kind"] == disturbed[-1]["kind"] == "done"
    steps = -(-len(dataset.split("train")) // BATCH) * EPOCHS
    assert disturbed[-1]["step"] == undisturbed[-1]["step"] == steps
    assert [e["message"] for e in (undisturbed[-1], disturbed[-1])] == ["version 1", "version 2"]

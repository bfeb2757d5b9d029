"""Whole training runs on a real Ray: spread, interrupted and resumed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from gyrus import phantom
from gyrus.datasets import Dataset
from training_jobs.batches import steps_per_epoch

pytestmark = pytest.mark.ray

EPOCHS = 4
BATCH = 4


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("datasets")
    return phantom.generate(folder, name="tiny", patients=32, slices=2, seed=5)


def asked(dataset: Dataset) -> list[str]:
    """A few epochs of two workers."""
    command = ["--dataset", str(dataset.folder), "--workers", "2", "--epochs", str(EPOCHS)]
    return [*command, "--filters", "4", "--batch", str(BATCH), "--patience", str(EPOCHS)]


def train(
    home: Path,
    run: str,
    options: list[str],
    *,
    meanwhile: Callable[..., None] | None = None,
    code: int = 0,
) -> list[dict[str, Any]]:
    """Run `python -m training_jobs`; returns its events."""
    command = [sys.executable, "-m", "training_jobs", "--run", run]
    command += ["--storage", str(home / "runs"), *options]
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
    assert process.returncode == code, log.read_text()[-2000:]
    return events


def test_a_killed_worker_costs_no_step(dataset: Dataset, tmp_path: Path) -> None:
    undisturbed = train(tmp_path, "undisturbed", asked(dataset))
    killed: list[int] = []

    def kill(process: subprocess.Popen[str], events: list[dict[str, Any]]) -> None:
        if killed or [event["kind"] for event in events].count("checkpoint") < 2:
            return
        workers = [
            child
            for child in psutil.Process(process.pid).children(recursive=True)
            if "RayTrainWorker" in " ".join(child.cmdline())
        ]
        assert len(workers) == 2
        os.kill(workers[1].pid, signal.SIGKILL)
        killed.append(workers[1].pid)

    disturbed = train(tmp_path, "disturbed", asked(dataset), meanwhile=kill)
    assert killed
    assert "restart" in {event["kind"] for event in disturbed}
    assert undisturbed[-1]["kind"] == disturbed[-1]["kind"] == "done"
    steps = steps_per_epoch(len(dataset.split("train")), BATCH) * EPOCHS
    assert disturbed[-1]["step"] == undisturbed[-1]["step"] == steps
    assert [e["message"] for e in (undisturbed[-1], disturbed[-1])] == ["version 1", "version 2"]


def test_a_run_that_was_killed_is_resumed_once_and_stays_one_version(
    dataset: Dataset, tmp_path: Path
) -> None:
    def kill(process: subprocess.Popen[str], events: list[dict[str, Any]]) -> None:
        if [event["kind"] for event in events].count("checkpoint") == 2:
            family = psutil.Process(process.pid).children(recursive=True)
            for one in [psutil.Process(process.pid), *family]:
                with suppress(psutil.NoSuchProcess):
                    one.kill()

    train(tmp_path, "killed", asked(dataset), meanwhile=kill, code=-signal.SIGKILL)
    resumed = train(tmp_path, "killed", ["--resume"])
    assert resumed[0]["kind"] == "restart"
    steps = steps_per_epoch(len(dataset.split("train")), BATCH) * EPOCHS
    assert (resumed[-1]["kind"], resumed[-1]["step"]) == ("done", steps)
    again = train(tmp_path, "killed", ["--resume"])
    assert again[-1]["kind"] == "done"
    assert again[-1]["message"] == resumed[-1]["message"] == "version 1"
    assert again[-1]["metrics"] == resumed[-1]["metrics"]


def test_weights_that_cannot_be_loaded_are_refused_before_a_run_is_made(
    dataset: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "other.weights.h5").write_bytes(b"none of ours")
    options = ["--dataset", str(dataset.folder), "--model", "mobilenetv2", "--alpha", "0.35"]
    options += ["--weights", str(tmp_path / "other.weights.h5")]
    events = train(tmp_path, "other", options, code=2)
    assert "cannot be loaded into mobilenetv2" in events[-1]["message"]
    assert not (tmp_path / "runs" / "other").exists()

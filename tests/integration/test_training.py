"""Whole training runs on a real Ray: spread, interrupted and resumed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from moto.server import ThreadedMotoServer

from gyrus import imaging, phantom
from gyrus.cli import run
from gyrus.datasets import Dataset
from training_jobs.batches import steps_per_epoch

pytestmark = pytest.mark.ray

EPOCHS = 4
BATCH = 4


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("datasets")
    return phantom.generate(folder, name="tiny", patients=32, slices=2, seed=5)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket of a server that speaks S3; every process started meanwhile finds it."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anyone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "anything")
    bucket = boto3.resource("s3", region_name="us-east-1").Bucket("gyrus")
    bucket.create()
    yield bucket
    server.stop()


def asked(dataset: Path | str) -> list[str]:
    """A few epochs of two workers."""
    command = ["--dataset", str(dataset), "--workers", "2", "--epochs", str(EPOCHS)]
    return [*command, "--filters", "4", "--batch", str(BATCH), "--patience", str(EPOCHS)]


def train(
    home: Path,
    run: str,
    options: list[str],
    *,
    storage: str = "",
    meanwhile: Callable[..., None] | None = None,
    code: int = 0,
) -> list[dict[str, Any]]:
    """Run `python -m training_jobs`; returns its events."""
    command = [sys.executable, "-m", "training_jobs", "--run", run]
    command += ["--storage", storage or str(home / "runs"), *options]
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


class WorkerKiller:
    """Kills a worker when so many checkpoints were told of."""

    def __init__(self, checkpoints: int) -> None:
        self.killed = False
        self._checkpoints = checkpoints

    def __call__(self, process: subprocess.Popen[str], events: list[dict[str, Any]]) -> None:
        told = [event["kind"] for event in events].count("checkpoint")
        if self.killed or told < self._checkpoints:
            return
        workers = [
            child
            for child in psutil.Process(process.pid).children(recursive=True)
            if "RayTrainWorker" in " ".join(child.cmdline())
        ]
        assert len(workers) == 2
        os.kill(workers[1].pid, signal.SIGKILL)
        self.killed = True


def kill_all(process: subprocess.Popen[str], events: list[dict[str, Any]]) -> None:
    """Kill a run with all of its processes after its second checkpoint."""
    if [event["kind"] for event in events].count("checkpoint") == 2:
        family = psutil.Process(process.pid).children(recursive=True)
        for one in [psutil.Process(process.pid), *family]:
            with suppress(psutil.NoSuchProcess):
                one.kill()


def test_a_killed_worker_costs_no_step(dataset: Dataset, tmp_path: Path) -> None:
    undisturbed = train(tmp_path, "undisturbed", asked(dataset.folder))
    assert "restart" not in {event["kind"] for event in undisturbed}
    kill = WorkerKiller(checkpoints=2)
    disturbed = train(tmp_path, "disturbed", asked(dataset.folder), meanwhile=kill)
    assert kill.killed
    assert "restart" in {event["kind"] for event in disturbed}
    assert undisturbed[-1]["kind"] == disturbed[-1]["kind"] == "done"
    steps = steps_per_epoch(len(dataset.split("train")), BATCH) * EPOCHS
    assert disturbed[-1]["step"] == undisturbed[-1]["step"] == steps
    assert [e["message"] for e in (undisturbed[-1], disturbed[-1])] == ["version 1", "version 2"]


def test_a_run_that_was_killed_is_resumed_once_and_stays_one_version(
    dataset: Dataset, tmp_path: Path
) -> None:
    train(tmp_path, "killed", asked(dataset.folder), meanwhile=kill_all, code=-signal.SIGKILL)
    resumed = train(tmp_path, "killed", ["--resume"])
    assert resumed[0]["kind"] == "restart"
    steps = steps_per_epoch(len(dataset.split("train")), BATCH) * EPOCHS
    assert (resumed[-1]["kind"], resumed[-1]["step"]) == ("done", steps)
    again = train(tmp_path, "killed", ["--resume"])
    assert again[-1]["kind"] == "done"
    assert again[-1]["message"] == resumed[-1]["message"] == "version 1"
    assert again[-1]["metrics"] == resumed[-1]["metrics"]


@pytest.mark.timeout(900)
def test_a_run_in_a_bucket_goes_on_after_all_was_lost_and_then_a_worker(
    dataset: Dataset, bucket: Any, tmp_path: Path
) -> None:
    for path in dataset.folder.iterdir():
        bucket.upload_file(str(path), f"data/datasets/tiny/{path.name}")
    storage = "s3://gyrus/data/runs"
    options = asked("s3://gyrus/data/datasets/tiny")
    train(tmp_path, "far", options, storage=storage, meanwhile=kill_all, code=-signal.SIGKILL)
    kill = WorkerKiller(checkpoints=1)
    options = [*options, "--resume-if-exists"]
    resumed = train(tmp_path, "far", options, storage=storage, meanwhile=kill)
    assert kill.killed
    restarts = [event["message"] for event in resumed if event["kind"] == "restart"]
    # Ray notes a checkpoint some tenths of a second after it is told of: the last may be lost.
    assert [message[:-1] for message in restarts] == ["going on after epoch "] * 2
    steps = steps_per_epoch(len(dataset.split("train")), BATCH) * EPOCHS
    last = resumed[-1]
    assert (last["kind"], last["step"], last["message"]) == ("done", steps, "version 1")
    names = {one.key.removeprefix("data/runs/far/") for one in bucket.objects.all()}
    assert {"config.json", "plots/curves.png"} <= names
    assert any(name.startswith("checkpoint_") for name in names)
    # Nothing of the run is kept here but the model, as it is registered, and the dataset's copy.
    assert not (tmp_path / "runs").exists()
    assert len(list(tmp_path.glob("cache/[!.]*"))) == 1


def test_a_dataset_is_made_of_images_in_a_bucket(bucket: Any, tmp_path: Path) -> None:
    for label, kind in (("yes", "glioma"), ("no", "notumor")):
        for number in range(6):
            image = imaging.encode_png(phantom.draw(kind, seed=number)[0])
            bucket.put_object(Key=f"mri/{label}/{number}.png", Body=image)
    command = ["data", "import", "s3://gyrus/mri", "--name", "mri", "--home", str(tmp_path)]
    assert run([*command, "--to", "s3://gyrus/data/datasets"]) == 0
    names = {one.key for one in bucket.objects.filter(Prefix="data/datasets/mri/")}
    files = ("dataset.json", "images.npy", "manifest.parquet")
    assert names == {f"data/datasets/mri/{name}" for name in files}


def test_weights_that_cannot_be_loaded_are_refused_before_a_run_is_made(
    dataset: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "other.weights.h5").write_bytes(b"none of ours")
    options = ["--dataset", str(dataset.folder), "--model", "mobilenetv2", "--alpha", "0.35"]
    options += ["--weights", str(tmp_path / "other.weights.h5")]
    events = train(tmp_path, "other", options, code=2)
    assert "cannot be loaded into mobilenetv2" in events[-1]["message"]
    assert not (tmp_path / "runs" / "other").exists()

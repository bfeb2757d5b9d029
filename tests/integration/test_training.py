"""Whole training runs on a real Ray, with their data in a bucket."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from gyrus import imaging, phantom
from gyrus.cli import run
from gyrus.datasets import Dataset
from tests.runs import (
    BATCH,
    EPOCHS,
    Once,
    asked,
    checkpoints,
    kill_all,
    kill_worker,
    train,
    workers,
)
from training_jobs.batches import steps_per_epoch

pytestmark = pytest.mark.ray


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


def test_a_worker_alone_listens_on_loopback_only(dataset: Dataset, tmp_path: Path) -> None:
    heard = []

    def listen(process: "subprocess.Popen[str]") -> None:
        [worker] = workers(process)
        listening = [one for one in worker.net_connections("inet") if one.status == "LISTEN"]
        heard.extend(one.laddr.ip.removeprefix("::ffff:") for one in listening)

    options = asked(dataset.folder, "--workers", "1", "--epochs", "2")
    train(tmp_path, "alone", options, meanwhile=Once(checkpoints(1), listen))
    assert heard
    assert set(heard) <= {"127.0.0.1", "::1"}


@pytest.mark.timeout(900)
def test_a_run_in_a_bucket_goes_on_after_all_was_lost_and_then_a_worker(
    dataset: Dataset, bucket: Any, tmp_path: Path
) -> None:
    for path in dataset.folder.iterdir():
        bucket.upload_file(str(path), f"data/datasets/tiny/{path.name}")
    storage = "s3://gyrus/data/runs"
    options = asked("s3://gyrus/data/datasets/tiny")
    lose = Once(checkpoints(2), kill_all)
    train(tmp_path, "far", options, storage=storage, meanwhile=lose, code=-signal.SIGKILL)
    kill = Once(checkpoints(1), kill_worker)
    options = [*options, "--resume-if-exists"]
    resumed = train(tmp_path, "far", options, storage=storage, meanwhile=kill)
    assert kill.done
    restarts = [event["message"] for event in resumed if event["kind"] == "restart"]
    assert restarts == [f"going on after epoch {number} with 2 workers" for number in (2, 3)]
    steps = steps_per_epoch(len(dataset.split("train")), BATCH) * EPOCHS
    last = resumed[-1]
    assert (last["kind"], last["step"], last["message"]) == ("done", steps, "version 1")
    names = {one.key.removeprefix("data/runs/far/") for one in bucket.objects.all()}
    assert {"config.json", "plots/curves.png"} <= names
    assert len([name for name in names if name.startswith("checkpoints/")]) == 2
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
    files = ("dataset.json", "files.parquet", "images.npy", "manifest.parquet")
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

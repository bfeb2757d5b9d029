"""Trainings that lose a worker, their driver, a node or the room for a checkpoint, for real.

Each of them ends after as many steps as one that nothing disturbs.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from ray.cluster_utils import Cluster

from gyrus import phantom
from gyrus.datasets import Dataset
from gyrus.registry import Registry
from tests.runs import (
    BATCH,
    EPOCHS,
    Events,
    Once,
    asked,
    checkpoints,
    kill_all,
    kill_worker,
    kinds,
    train,
    workers,
)
from training_jobs.batches import steps_per_epoch

pytestmark = [pytest.mark.ray, pytest.mark.timeout(1200)]

ROOM = 200_000
"""Bytes: less than a checkpoint has, more than a worker's log."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("datasets")
    return phantom.generate(folder, name="tiny", patients=32, slices=2, seed=5)


@pytest.fixture(scope="module")
def undisturbed(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Events:
    events = train(tmp_path_factory.mktemp("undisturbed"), "one", asked(dataset.folder))
    steps = steps_per_epoch(len(dataset.split("train")), BATCH) * EPOCHS
    assert (events[-1]["kind"], events[-1]["step"]) == ("done", steps)
    assert "restart" not in kinds(events)
    return events


def in_an_epoch(events: Events) -> bool:
    """In an epoch after the first."""
    return events[-1]["kind"] == "step" and events[-1]["epoch"] > 1


def losses(*parts: Events) -> list[float]:
    """The mean loss of each of the first epochs, as it was done last.

    Sums in another order let later ones drift apart.
    """
    told = {one["epoch"]: one["loss"] for part in parts for one in part if one["kind"] == "epoch"}
    return [told[epoch] for epoch in range(1, 6)]


def test_a_killed_worker_costs_no_step(
    dataset: Dataset, undisturbed: Events, tmp_path: Path
) -> None:
    kill = Once(in_an_epoch, kill_worker)
    events = train(tmp_path, "worker", asked(dataset.folder), meanwhile=kill)
    assert kill.done
    [restart] = [one for one in events if one["kind"] == "restart"]
    assert restart["message"] == f"going on after epoch {restart['epoch']} with 2 workers"
    assert (events[-1]["kind"], events[-1]["step"]) == ("done", undisturbed[-1]["step"])
    assert losses(events) == pytest.approx(losses(undisturbed), rel=0.05)


def test_a_run_goes_on_after_a_stop_a_full_disk_and_a_kill(
    dataset: Dataset, undisturbed: Events, tmp_path: Path
) -> None:
    stop = Once(in_an_epoch, lambda process: process.send_signal(signal.SIGTERM))
    stopped = train(tmp_path, "one", asked(dataset.folder), meanwhile=stop, code=143)
    assert (stopped[-1]["kind"], stopped[-1]["message"]) == (
        "checkpoint",
        "stopped, as it was asked to",
    )

    fill = Once(checkpoints(1), fill_disk)
    full = train(tmp_path, "one", ["--resume"], meanwhile=fill, code=1)
    assert full[0]["message"].startswith("going on after step ")
    assert full[0]["step"] == stopped[-1]["step"], "no step is lost, none is done again"
    assert kinds(full).count("restart") == 1, "it is not tried again"
    assert full[-1]["kind"] == "failed"
    assert "There is no room left" in full[-1]["message"]

    kill = Once(checkpoints(1), kill_all)
    killed = train(tmp_path, "one", ["--resume"], meanwhile=kill, code=-signal.SIGKILL)
    saved = [one["epoch"] for one in full if one["kind"] == "checkpoint"]
    assert killed[0]["message"] == f"going on after epoch {saved[-1]} with 2 workers"

    assert not {"evaluation", "done"} & set(kinds(stopped + full + killed))
    assert not Registry(f"sqlite:///{tmp_path}/mlflow.db", tmp_path).versions()
    resumed = train(tmp_path, "one", ["--resume"])
    assert resumed[0]["kind"] == "restart"
    assert (resumed[-1]["kind"], resumed[-1]["step"]) == ("done", undisturbed[-1]["step"])
    assert losses(stopped, full, killed, resumed) == pytest.approx(losses(undisturbed), rel=0.05)

    again = train(tmp_path, "one", ["--resume"])
    assert again[-1]["kind"] == "done"
    assert again[-1]["message"] == resumed[-1]["message"] == "version 1"
    assert again[-1]["metrics"] == resumed[-1]["metrics"]


def fill_disk(process: "subprocess.Popen[str]") -> None:
    """No file of a worker's grows any more."""
    for worker in workers(process):
        worker.rlimit(psutil.RLIMIT_FSIZE, (ROOM, ROOM))


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A head for the driver, and two nodes for a worker each."""
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield made
    made.shutdown()


def test_a_run_leaves_a_node_that_goes_and_takes_one_that_comes(
    dataset: Dataset, cluster: Cluster, tmp_path: Path
) -> None:
    going, _ = (cluster.add_node(num_cpus=1) for _ in range(2))
    cluster.wait_for_nodes()

    def drain(_: Any) -> None:
        command = [sys.executable, "-m", "ray.scripts.scripts", "drain-node", "--address"]
        command += [cluster.address, "--node-id", going.node_id, "--reason-message", "a test"]
        command += ["--reason", "DRAIN_NODE_REASON_PREEMPTION"]
        subprocess.run([*command, "--deadline-remaining-seconds", "60"], check=True)

    def restarts(number: int) -> Callable[[Events], bool]:
        return lambda events: kinds(events).count("restart") == number and in_an_epoch(events)

    goes = Once(in_an_epoch, drain)
    comes = Once(restarts(1), lambda _: cluster.add_node(num_cpus=1))

    def meanwhile(process: "subprocess.Popen[str]", events: Events) -> None:
        goes(process, events)
        comes(process, events)

    # Ray takes its time, up to 20 s until it has counted a node, and as much until it uses it.
    epochs, batch = 40, 16
    options = asked(dataset.folder, "--min-workers", "1", "--epochs", str(epochs))
    options += ["--batch", str(batch), "--patience", str(epochs)]
    events = train(tmp_path, "node", options, ray=cluster.address, meanwhile=meanwhile)
    left, came = [number for number, one in enumerate(events) if one["kind"] == "restart"]
    assert goes.done and comes.done
    assert events[left - 1]["message"] == "a node is taken away: leaving it"
    assert events[left]["step"] == events[left - 1]["step"], "no step is lost"
    assert events[left]["message"].endswith("with 1 worker")
    assert events[came]["message"].endswith("with 2 workers")
    steps = steps_per_epoch(len(dataset.split("train")), batch) * epochs
    assert (events[-1]["kind"], events[-1]["step"]) == ("done", steps)

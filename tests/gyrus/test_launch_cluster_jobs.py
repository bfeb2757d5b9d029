"""Training jobs on a cluster: making, finding and ending them."""

import shlex
from datetime import UTC, datetime

import httpx2
import pytest
import yaml

from gyrus.errors import Conflict, InputError, NotFound, Unavailable
from tests.gyrus.training_cluster import (
    COMPLETE,
    FAILED,
    PODS,
    RAYJOBS,
    RUNNING,
    TEMPLATE,
    TrainingCluster,
    asked,
    told,
)
from tests.kubernetes import refusal


def test_a_rayjob_is_the_template_with_a_name_a_command_and_workers(
    cluster: TrainingCluster,
) -> None:
    job = cluster.jobs.create(asked(weights="own.h5"))
    assert (job.id, job.state, job.request) == ("one", "pending", asked(weights="own.h5"))
    made = cluster.items["one"]
    assert made["metadata"]["labels"] == {
        "app.kubernetes.io/name": "gyrus",
        "gyrus.dev/run": "one",
    }
    [workers] = made["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert (workers["replicas"], workers["minReplicas"], workers["maxReplicas"]) == (3, 3, 3)
    words = shlex.split(made["spec"]["entrypoint"])
    assert words[:3] == ["python", "-m", "training_jobs"]
    assert words[-1] == "--resume-if-exists"
    options = dict(zip(words[3:-1:2], words[4:-1:2], strict=True))
    assert options["--run"] == "one"
    assert options["--dataset"] == "/data/datasets/few"
    assert options["--weights"] == "/data/weights/own.h5"
    assert options["--storage"] == "/data/runs"
    assert options["--workers"] == "3"
    assert options["--min-workers"] == "0"
    with pytest.raises(Conflict, match="one is there already"):
        cluster.jobs.create(asked())


def test_an_elastic_run_keeps_the_pods_that_it_can_do_with(cluster: TrainingCluster) -> None:
    cluster.jobs.create(asked(min_workers=1))
    [workers] = cluster.items["one"]["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert (workers["replicas"], workers["minReplicas"], workers["maxReplicas"]) == (3, 1, 3)


def test_each_job_has_an_id_so_that_none_goes_on_with_the_run_of_another(
    cluster: TrainingCluster,
) -> None:
    commands = set()
    for _ in range(2):
        cluster.jobs.create(asked())
        commands.add(cluster.items.pop("one")["spec"]["entrypoint"].partition(" --job ")[2])
    assert len(commands) == 2
    assert all(command.endswith(" --resume-if-exists") for command in commands)


def test_a_template_without_workers_is_refused(cluster: TrainingCluster) -> None:
    spec = yaml.safe_load(TEMPLATE)
    del spec["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    cluster.template.write_text(yaml.safe_dump(spec))
    with pytest.raises(InputError, match="template"):
        cluster.jobs.create(asked())


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({}, "pending"),
        ({"jobDeploymentStatus": "Initializing"}, "pending"),
        ({"jobDeploymentStatus": "Suspended"}, "pending"),
        ({"jobDeploymentStatus": "Running", "jobStatus": "PENDING"}, "pending"),
        (RUNNING, "running"),
        ({"jobDeploymentStatus": "Retrying", "jobStatus": "FAILED"}, "running"),
        (COMPLETE, "succeeded"),
        ({"jobDeploymentStatus": "Complete", "jobStatus": "STOPPED"}, "cancelled"),
        (FAILED, "failed"),
        ({"jobDeploymentStatus": "ValidationFailed"}, "failed"),
    ],
)
def test_the_operators_words_become_states(
    cluster: TrainingCluster, status: dict[str, str], state: str
) -> None:
    cluster.jobs.create(asked())
    cluster.items["one"]["status"] = status
    assert cluster.jobs.get("one").state == state
    assert [job.state for job in cluster.jobs.jobs()] == [state]


def test_a_finished_job_names_its_version_and_end(cluster: TrainingCluster) -> None:
    cluster.jobs.create(asked())
    cluster.items["one"]["status"] = COMPLETE
    cluster.tells(
        told(1, "epoch"), told(2, "done", message="version 7"), noise="\x1b[33ma warning\x1b[39m"
    )
    job = cluster.jobs.get("one")
    assert (job.version, job.ended_at) == (7, datetime(2026, 1, 1, 0, 10, tzinfo=UTC))
    assert cluster.jobs.log("one") == "a warning\nJob succeeded"


@pytest.mark.parametrize("lost", [500, 403, None], ids=["error", "refusal", "silence"])
def test_a_log_that_cannot_be_read_hides_neither_the_job_nor_the_others(
    cluster: TrainingCluster, lost: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.jobs.create(asked())
    cluster.items["one"]["status"] = RUNNING
    cluster.tells(told(9, "epoch"))
    cluster.logs["one-lost"] = lost
    assert cluster.jobs.get("one").progress == told(9, "epoch")
    assert cluster.jobs.jobs() == [cluster.jobs.get("one")]
    assert next(cluster.jobs.events("one")) == told(9, "epoch")
    assert cluster.jobs.log("one") == "\nJob succeeded"
    assert "the log of the pod one-lost cannot be read" in caplog.text
    cluster.jobs.cancel("one")
    assert not cluster.items


def test_a_list_of_jobs_asks_for_pods_once_and_for_logs_where_there_are_any(
    cluster: TrainingCluster,
) -> None:
    for run in ("one", "two", "three"):
        cluster.jobs.create(asked(run=run))
    cluster.tells(told(1, "epoch"), pod="one-first")
    cluster.tells(told(9, "epoch"), pod="one-retried")
    cluster.paths.clear()
    jobs = cluster.jobs.jobs()
    assert [job.id for job in jobs] == ["three", "two", "one"]
    assert [job.progress for job in jobs] == [None, None, told(9, "epoch")]
    assert cluster.paths == [RAYJOBS, PODS, f"{PODS}/one-retried/log"]


def test_a_job_that_is_being_deleted_is_cancelled(cluster: TrainingCluster) -> None:
    cluster.jobs.create(asked())
    cluster.items["one"]["metadata"]["deletionTimestamp"] = "2026-01-01T00:05:00Z"
    job = cluster.jobs.get("one")
    assert (job.state, job.ended_at) == ("cancelled", datetime(2026, 1, 1, 0, 5, tzinfo=UTC))
    with pytest.raises(Conflict, match="ended already"):
        cluster.jobs.cancel("one")


@pytest.mark.parametrize("annotations", [{}, {"gyrus.dev/request": '{"model": "of tomorrow"}'}])
def test_a_rayjob_of_someone_else_is_no_training_job(
    cluster: TrainingCluster, annotations: dict[str, str]
) -> None:
    cluster.items["one"] = {
        "metadata": {"name": "one", "labels": {"gyrus.dev/run": "one"}, "annotations": annotations}
    }
    assert cluster.jobs.jobs() == []
    with pytest.raises(NotFound):
        cluster.jobs.get("one")


@pytest.mark.parametrize(
    "fault",
    [refusal(403, "Forbidden"), httpx2.ConnectError("no route")],
)
def test_a_kubernetes_that_does_not_answer_is_unavailable(
    cluster: TrainingCluster, fault: httpx2.Response | Exception
) -> None:
    cluster.fault = fault
    for question in (cluster.jobs.jobs, lambda: cluster.jobs.create(asked())):
        with pytest.raises(Unavailable, match="Kubernetes"):
            question()


def test_a_plot_is_not_there_before_the_model(cluster: TrainingCluster) -> None:
    cluster.jobs.create(asked())
    with pytest.raises(NotFound, match="no plot roc"):
        cluster.jobs.plot("one", "roc")

"""Training jobs on a cluster, against a Kubernetes that only remembers."""

import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import MaxRetryError

from gyrus.errors import Conflict, InputError, NotFound, TrainingFailed, Unavailable
from gyrus.launch.cluster_jobs import RayJobs
from gyrus.launch.jobs import TrainingRequest, follow
from gyrus.launch.kubernetes_api import Apis
from gyrus.progress import Progress

NAMESPACE = "gyrus-training"
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
TEMPLATE = """
apiVersion: ray.io/v1
kind: RayJob
metadata:
  labels: {app.kubernetes.io/name: gyrus}
spec:
  backoffLimit: 2
  rayClusterSpec:
    headGroupSpec: {rayStartParams: {num-cpus: "0"}}
    workerGroupSpecs:
      - {groupName: workers, replicas: 0, minReplicas: 0, maxReplicas: 0}
"""


class FakeObjects:
    """RayJobs by name; `then` is what happens to their status at each look."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.then: list[dict[str, str] | None] = []
        self.fault: Exception | None = None

    def create_namespaced_custom_object(
        self, group: str, version: str, namespace: str, plural: str, body: Any, **_: Any
    ) -> Any:
        self._check(group, version, namespace, plural)
        name = body["metadata"]["name"]
        if name in self.items:
            raise ApiException(status=409, reason="AlreadyExists")
        number = len(self.items)
        body["metadata"]["creationTimestamp"] = f"2026-01-01T00:00:0{number}Z"
        self.items[name] = body
        return body

    def list_namespaced_custom_object(
        self, group: str, version: str, namespace: str, plural: str, **given: Any
    ) -> Any:
        self._check(group, version, namespace, plural)
        assert given["label_selector"] == "gyrus.dev/run"
        return {"items": list(self.items.values())}

    def get_namespaced_custom_object(
        self, group: str, version: str, namespace: str, plural: str, name: str, **_: Any
    ) -> Any:
        self._check(group, version, namespace, plural)
        if self.then:
            status = self.then.pop(0)
            if status is None:
                del self.items[name]
            else:
                self.items[name]["status"] = status
        if name not in self.items:
            raise ApiException(status=404, reason="Not Found")
        return self.items[name]

    def delete_namespaced_custom_object(
        self, group: str, version: str, namespace: str, plural: str, name: str, **_: Any
    ) -> Any:
        self._check(group, version, namespace, plural)
        del self.items[name]

    def _check(self, *where: str) -> None:
        assert where == ("ray.io", "v1", NAMESPACE, "rayjobs")
        if self.fault is not None:
            raise self.fault


class FakeCore:
    """The pods that submitted jobs; a text, or the status that asking for it gives."""

    def __init__(self) -> None:
        self.logs: dict[str, str | int] = {}
        self.asked: list[dict[str, Any]] = []

    def list_namespaced_pod(self, namespace: str, *, label_selector: str, **_: Any) -> Any:
        assert (namespace, label_selector) == (NAMESPACE, "job-name=one")
        pods = [
            SimpleNamespace(
                metadata=SimpleNamespace(
                    name=name, creation_timestamp=BEGAN + timedelta(hours=number)
                )
            )
            for number, name in enumerate(self.logs)
        ]
        return SimpleNamespace(items=pods[::-1])

    def read_namespaced_pod_log(self, name: str, namespace: str, **given: Any) -> str:
        self.asked.append(given)
        text = self.logs[name]
        if isinstance(text, int):
            raise ApiException(status=text)
        return text


class Cluster:
    """A launcher and the fakes that it speaks to."""

    def __init__(self, folder: Path) -> None:
        self.objects, self.core = FakeObjects(), FakeCore()
        template = folder / "rayjob.yaml"
        template.write_text(TEMPLATE)
        self.jobs = RayJobs(
            template,
            NAMESPACE,
            "/data",
            "http://mlflow",
            apis=Apis(self.objects, self.core),
            poll_s=0,
        )
        self.template = template

    def tells(self, *events: Progress, pod: str = "one-abcde", noise: str = "") -> None:
        lines = [noise, *(event.model_dump_json() for event in events), "Job succeeded"]
        self.core.logs[pod] = "\n".join(lines)


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def asked(**fields: Any) -> TrainingRequest:
    given = {"run": "one", "dataset": "few", "model": "mobilenetv2", "workers": 3, **fields}
    return TrainingRequest.model_validate(given)


def told(second: int, kind: Any, **fields: Any) -> Progress:
    return Progress(run="one", kind=kind, time=BEGAN + timedelta(seconds=second), **fields)


RUNNING = {"jobDeploymentStatus": "Running", "jobStatus": "RUNNING"}
COMPLETE = {
    "jobDeploymentStatus": "Complete",
    "jobStatus": "SUCCEEDED",
    "endTime": "2026-01-01T00:10:00Z",
}
FAILED = {
    "jobDeploymentStatus": "Failed",
    "jobStatus": "FAILED",
    "reason": "AppFailed",
    "message": "The head was lost too often.",
    "endTime": "2026-01-01T00:10:00Z",
}


def test_a_rayjob_is_the_template_with_a_name_a_command_and_workers(cluster: Cluster) -> None:
    job = cluster.jobs.create(asked(weights="own.h5"))
    assert (job.id, job.state, job.request) == ("one", "pending", asked(weights="own.h5"))
    made = cluster.objects.items["one"]
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
    with pytest.raises(Conflict, match="one is there already"):
        cluster.jobs.create(asked())


def test_a_template_without_workers_is_refused(cluster: Cluster) -> None:
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
    cluster: Cluster, status: dict[str, str], state: str
) -> None:
    cluster.jobs.create(asked())
    cluster.objects.items["one"]["status"] = status
    assert cluster.jobs.get("one").state == state
    assert [job.state for job in cluster.jobs.jobs()] == [state]


def test_a_finished_job_names_its_version_and_end(cluster: Cluster) -> None:
    cluster.jobs.create(asked())
    cluster.objects.items["one"]["status"] = COMPLETE
    cluster.tells(
        told(1, "epoch"), told(2, "done", message="version 7"), noise="\x1b[33ma warning\x1b[39m"
    )
    job = cluster.jobs.get("one")
    assert (job.version, job.ended_at) == (7, datetime(2026, 1, 1, 0, 10, tzinfo=UTC))
    assert cluster.jobs.log("one") == "a warning\nJob succeeded"


def test_events_come_from_the_pods_as_they_tell_them(cluster: Cluster) -> None:
    cluster.jobs.create(asked())
    events = [
        told(1, "epoch", epoch=1),
        told(2, "epoch", epoch=2),
        told(3, "done", message="version 1"),
    ]
    cluster.core.logs["one-abcde"] = 400  # its container is being made
    stream = cluster.jobs.events("one")
    assert next(stream) is None
    cluster.objects.items["one"]["status"] = RUNNING
    cluster.tells(events[0])
    assert [next(stream), next(stream)] == [events[0], None]
    assert "since_seconds" not in cluster.core.asked[-1]
    cluster.tells(*events)
    cluster.objects.items["one"]["status"] = COMPLETE
    assert list(stream) == events[1:]
    assert cluster.core.asked[-1]["since_seconds"] > 60
    assert [e for e in cluster.jobs.events("one", events[1].time) if e] == events[2:]


def test_a_retried_job_goes_on_with_what_its_new_pod_tells(cluster: Cluster) -> None:
    cluster.jobs.create(asked())
    first, restart, done = (
        told(1, "epoch"),
        told(9, "restart"),
        told(10, "done", message="version 1"),
    )
    cluster.tells(first)
    cluster.tells(restart, done, pod="one-retried")
    cluster.objects.items["one"]["status"] = COMPLETE
    assert list(follow(cluster.jobs, "one")) == [first, restart, done]


def test_the_last_event_is_waited_for_when_the_job_ended_before_it_came(cluster: Cluster) -> None:
    cluster.jobs.create(asked())
    cluster.tells(told(1, "epoch"))
    cluster.objects.items["one"]["status"] = COMPLETE
    stream = cluster.jobs.events("one")
    assert [next(stream), next(stream)] == [told(1, "epoch"), None]
    cluster.tells(told(1, "epoch"), told(2, "done", message="version 1"))
    assert list(stream) == [told(2, "done", message="version 1")]


def test_a_job_that_could_not_tell_its_end_ends_with_the_operators_words(cluster: Cluster) -> None:
    cluster.jobs.create(asked())
    cluster.tells(told(1, "epoch"))
    cluster.objects.then = [RUNNING, RUNNING, FAILED]
    with pytest.raises(TrainingFailed, match="lost too often"):
        list(follow(cluster.jobs, "one"))
    job = cluster.jobs.get("one")
    assert job.progress is not None
    assert (job.progress.kind, job.progress.time) == ("failed", job.ended_at)


def test_a_cancelled_job_is_gone_and_its_followers_are_told(cluster: Cluster) -> None:
    cluster.jobs.create(asked())
    cluster.tells(told(1, "epoch"))
    stream = cluster.jobs.events("one")
    assert [next(stream), next(stream)] == [told(1, "epoch"), None]
    cluster.jobs.cancel("one")
    [last] = list(stream)
    assert last is not None
    assert (last.kind, last.message) == ("failed", "The run was cancelled.")
    for missing in (cluster.jobs.get, cluster.jobs.events, cluster.jobs.cancel):
        with pytest.raises(NotFound):
            missing("one")


def test_a_job_that_is_being_deleted_is_cancelled(cluster: Cluster) -> None:
    cluster.jobs.create(asked())
    cluster.objects.items["one"]["metadata"]["deletionTimestamp"] = "2026-01-01T00:05:00Z"
    job = cluster.jobs.get("one")
    assert (job.state, job.ended_at) == ("cancelled", datetime(2026, 1, 1, 0, 5, tzinfo=UTC))
    with pytest.raises(Conflict, match="ended already"):
        cluster.jobs.cancel("one")


@pytest.mark.parametrize("annotations", [{}, {"gyrus.dev/request": '{"model": "of tomorrow"}'}])
def test_a_rayjob_of_someone_else_is_no_training_job(
    cluster: Cluster, annotations: dict[str, str]
) -> None:
    cluster.objects.items["one"] = {
        "metadata": {"name": "one", "labels": {"gyrus.dev/run": "one"}, "annotations": annotations}
    }
    assert cluster.jobs.jobs() == []
    with pytest.raises(NotFound):
        cluster.jobs.get("one")


@pytest.mark.parametrize(
    "fault",
    [ApiException(status=403, reason="Forbidden"), MaxRetryError(None, "/")],  # type: ignore[arg-type]
)
def test_a_kubernetes_that_does_not_answer_is_unavailable(
    cluster: Cluster, fault: Exception
) -> None:
    cluster.objects.fault = fault
    for question in (cluster.jobs.jobs, lambda: cluster.jobs.create(asked())):
        with pytest.raises(Unavailable, match="Kubernetes"):
            question()


def test_a_plot_is_not_there_before_the_model(cluster: Cluster) -> None:
    cluster.jobs.create(asked())
    with pytest.raises(NotFound, match="no plot roc"):
        cluster.jobs.plot("one", "roc")

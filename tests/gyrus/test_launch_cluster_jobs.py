"""Training jobs on a cluster, against a Kubernetes that only remembers."""

import json
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from gyrus.errors import Conflict, InputError, NotFound, TrainingFailed, Unavailable
from gyrus.launch.cluster_jobs import RayJobs
from gyrus.launch.jobs import TrainingRequest, follow, version_of
from gyrus.progress import Progress
from gyrus.registry import ModelVersion
from tests.bundles import CARD
from tests.kubernetes import client_of, refusal

NAMESPACE = "gyrus-training"
RAYJOBS = f"/apis/ray.io/v1/namespaces/{NAMESPACE}/rayjobs"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
MODEL = ModelVersion(
    version=7,
    digest="abc",
    source="mlflow-artifacts:/1/run/artifacts/bundle",
    bundle=None,
    card=CARD,
    created_at=BEGAN,
    champion=False,
)
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


class FakeRegistry:
    """The models that runs made; while it is `away` it does not answer."""

    tracking_uri = "http://mlflow"

    def __init__(self) -> None:
        self.made: dict[str, ModelVersion] = {}
        self.away = 0

    def made_by(self, run: str) -> ModelVersion | None:
        if self.away:
            self.away -= 1
            raise Unavailable("MLflow does not answer.")
        return self.made.get(run)


class Cluster:
    """RayJobs by name and the logs of the pods that submitted `one`, behind a launcher.

    `then` is what happens to a job's status at each look. A log that is a number is the status
    that asking for it gives, one that is None never comes.
    """

    def __init__(self, folder: Path) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.then: list[dict[str, str] | None] = []
        self.logs: dict[str, str | int | None] = {}
        self.asked: list[httpx2.QueryParams] = []
        self.paths: list[str] = []
        self.fault: httpx2.Response | Exception | None = None
        self.registry = FakeRegistry()
        self.template = folder / "rayjob.yaml"
        self.template.write_text(TEMPLATE)
        self.jobs = RayJobs(
            self.template,
            NAMESPACE,
            "/data",
            self.registry,
            client_of(self.api),
            poll_s=0,
        )

    def api(self, request: httpx2.Request) -> httpx2.Response:
        if isinstance(self.fault, Exception):
            raise self.fault
        if self.fault is not None:
            return self.fault
        path = request.url.path
        self.paths.append(path)
        if path.startswith(PODS):
            return self._pods(path.removeprefix(PODS), request.url.params)
        assert path.startswith(RAYJOBS)
        return self._rayjobs(request.method, path.removeprefix(RAYJOBS).strip("/"), request)

    def _rayjobs(self, method: str, name: str, request: httpx2.Request) -> httpx2.Response:
        if method == "POST":
            return self._create(json.loads(request.content))
        if not name:
            assert request.url.params["labelSelector"] == "gyrus.dev/run"
            return httpx2.Response(200, json=listed(list(self.items.values())))
        if method == "GET" and self.then:
            status = self.then.pop(0)
            if status is None:
                del self.items[name]
            else:
                self.items[name]["status"] = status
        if name not in self.items:
            return refusal(404, "NotFound")
        found = self.items[name]
        if method == "DELETE":
            del self.items[name]
        return httpx2.Response(200, json=found)

    def _create(self, body: dict[str, Any]) -> httpx2.Response:
        name = body["metadata"]["name"]
        if name in self.items:
            return refusal(409, "AlreadyExists")
        body["metadata"]["creationTimestamp"] = f"2026-01-01T00:00:0{len(self.items)}Z"
        self.items[name] = body
        return httpx2.Response(201, json=body)

    def _pods(self, path: str, params: httpx2.QueryParams) -> httpx2.Response:
        if path:
            self.asked.append(params)
            log = self.logs[path.strip("/").removesuffix("/log")]
            if log is None:
                raise httpx2.ReadTimeout("the node is lost")
            return refusal(log, "any") if isinstance(log, int) else httpx2.Response(200, text=log)
        assert params["labelSelector"] in {"job-name", "job-name=one"}
        pods = [
            {
                "name": name,
                "labels": {"job-name": "one"},
                "creationTimestamp": f"2026-01-01T0{hour}:00:00Z",
            }
            for hour, name in enumerate(self.logs)
        ]
        return httpx2.Response(200, json=listed([{"metadata": pod} for pod in pods[::-1]]))

    def tells(self, *events: Progress, pod: str = "one-abcde", noise: str = "") -> None:
        lines = [noise, *(event.model_dump_json() for event in events), "Job succeeded"]
        self.logs[pod] = "\n".join(lines)


def listed(items: list[Any]) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": "1"}, "items": items}


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
    with pytest.raises(Conflict, match="one is there already"):
        cluster.jobs.create(asked())


def test_each_job_has_an_id_so_that_none_goes_on_with_the_run_of_another(cluster: Cluster) -> None:
    commands = set()
    for _ in range(2):
        cluster.jobs.create(asked())
        commands.add(cluster.items.pop("one")["spec"]["entrypoint"].partition(" --job ")[2])
    assert len(commands) == 2
    assert all(command.endswith(" --resume-if-exists") for command in commands)


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
    cluster.items["one"]["status"] = status
    assert cluster.jobs.get("one").state == state
    assert [job.state for job in cluster.jobs.jobs()] == [state]


def test_a_finished_job_names_its_version_and_end(cluster: Cluster) -> None:
    cluster.jobs.create(asked())
    cluster.items["one"]["status"] = COMPLETE
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
    cluster.logs["one-abcde"] = 400  # its container is being made
    stream = cluster.jobs.events("one")
    assert next(stream) is None
    cluster.items["one"]["status"] = RUNNING
    cluster.tells(events[0])
    assert [next(stream), next(stream)] == [events[0], None]
    assert "sinceSeconds" not in cluster.asked[-1]
    cluster.tells(*events)
    cluster.items["one"]["status"] = COMPLETE
    assert list(stream) == events[1:]
    assert int(cluster.asked[-1]["sinceSeconds"]) > 60
    assert [e for e in cluster.jobs.events("one", events[1].time) if e] == events[2:]


@pytest.mark.parametrize("lost", [500, 403, None], ids=["error", "refusal", "silence"])
def test_a_log_that_cannot_be_read_hides_neither_the_job_nor_the_others(
    cluster: Cluster, lost: int | None, caplog: pytest.LogCaptureFixture
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


def test_an_event_may_hold_any_line_separator(cluster: Cluster) -> None:
    cluster.jobs.create(asked())
    event = told(1, "failed", message="one\u2028two\u2029three\x85four")
    cluster.tells(event)
    assert cluster.jobs.get("one").progress == event
    assert cluster.jobs.log("one") == "\nJob succeeded"


def test_a_list_of_jobs_asks_for_pods_once_and_for_logs_where_there_are_any(
    cluster: Cluster,
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


def test_a_retried_job_goes_on_with_what_its_new_pod_tells(cluster: Cluster) -> None:
    cluster.jobs.create(asked())
    first, restart, done = (
        told(1, "epoch"),
        told(9, "restart"),
        told(10, "done", message="version 1"),
    )
    cluster.tells(first)
    cluster.tells(restart, done, pod="one-retried")
    cluster.items["one"]["status"] = COMPLETE
    assert list(follow(cluster.jobs, "one")) == [first, restart, done]


def test_the_last_event_is_waited_for_when_the_job_ended_before_it_came(cluster: Cluster) -> None:
    cluster.jobs.create(asked())
    cluster.tells(told(1, "epoch"))
    cluster.items["one"]["status"] = COMPLETE
    stream = cluster.jobs.events("one")
    assert [next(stream), next(stream)] == [told(1, "epoch"), None]
    cluster.tells(told(1, "epoch"), told(2, "done", message="version 1"))
    assert list(stream) == [told(2, "done", message="version 1")]


def test_a_job_that_could_not_tell_its_end_ends_with_the_operators_words(cluster: Cluster) -> None:
    cluster.jobs.create(asked())
    cluster.tells(told(1, "epoch"))
    cluster.then = [RUNNING, RUNNING, FAILED]
    with pytest.raises(TrainingFailed, match="lost too often"):
        list(follow(cluster.jobs, "one"))
    job = cluster.jobs.get("one")
    assert job.progress is not None
    assert (job.progress.kind, job.progress.time) == ("failed", job.ended_at)


def test_the_registry_knows_what_a_job_made_whose_pod_is_gone(cluster: Cluster) -> None:
    cluster.jobs.create(asked())
    cluster.items["one"]["status"] = COMPLETE
    cluster.registry.made["one"] = MODEL
    job = cluster.jobs.get("one")
    assert (job.state, job.version) == ("succeeded", 7)
    assert job.progress is not None
    assert (job.progress.kind, job.progress.metrics) == ("done", CARD.metrics)
    assert job.progress.time == job.ended_at
    assert cluster.jobs.jobs() == [job]
    assert list(follow(cluster.jobs, "one")) == [job.progress]
    # What is left is of a first try, which failed.
    cluster.tells(told(1, "epoch"), told(9, "failed", message="The head was lost."))
    assert cluster.jobs.get("one") == job
    assert list(follow(cluster.jobs, "one"))[-1] == job.progress


def test_a_registry_that_is_away_hides_no_job_and_ends_no_stream(cluster: Cluster) -> None:
    cluster.jobs.create(asked())
    cluster.items["one"]["status"] = COMPLETE
    cluster.registry.made["one"] = MODEL
    cluster.registry.away = 3
    [job] = cluster.jobs.jobs()
    assert (job.state, job.version) == ("succeeded", None)
    with pytest.raises(Unavailable, match="MLflow"):
        cluster.jobs.plot("one", "roc")
    [done] = follow(cluster.jobs, "one")
    assert (done.message, cluster.registry.away) == ("version 7", 0)


def test_a_job_whose_model_is_not_registered_any_more_ends_without_one(cluster: Cluster) -> None:
    cluster.jobs.create(asked())
    cluster.items["one"]["status"] = COMPLETE
    [done] = follow(cluster.jobs, "one")
    assert (done.kind, version_of(done)) == ("done", None)
    with pytest.raises(NotFound, match="no plot roc"):
        cluster.jobs.plot("one", "roc")


def test_a_stream_goes_on_when_kubernetes_answers_again(cluster: Cluster) -> None:
    cluster.jobs.create(asked())
    cluster.tells(told(1, "epoch"))
    cluster.items["one"]["status"] = RUNNING
    stream = cluster.jobs.events("one")
    assert [next(stream), next(stream)] == [told(1, "epoch"), None]
    cluster.fault = httpx2.ConnectError("no route")
    assert [next(stream), next(stream)] == [None, None]
    cluster.fault = None
    cluster.tells(told(1, "epoch"), told(2, "done", message="version 1"))
    cluster.items["one"]["status"] = COMPLETE
    assert list(stream) == [told(2, "done", message="version 1")]


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
    cluster.items["one"]["metadata"]["deletionTimestamp"] = "2026-01-01T00:05:00Z"
    job = cluster.jobs.get("one")
    assert (job.state, job.ended_at) == ("cancelled", datetime(2026, 1, 1, 0, 5, tzinfo=UTC))
    with pytest.raises(Conflict, match="ended already"):
        cluster.jobs.cancel("one")


@pytest.mark.parametrize("annotations", [{}, {"gyrus.dev/request": '{"model": "of tomorrow"}'}])
def test_a_rayjob_of_someone_else_is_no_training_job(
    cluster: Cluster, annotations: dict[str, str]
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
    cluster: Cluster, fault: httpx2.Response | Exception
) -> None:
    cluster.fault = fault
    for question in (cluster.jobs.jobs, lambda: cluster.jobs.create(asked())):
        with pytest.raises(Unavailable, match="Kubernetes"):
            question()


def test_a_plot_is_not_there_before_the_model(cluster: Cluster) -> None:
    cluster.jobs.create(asked())
    with pytest.raises(NotFound, match="no plot roc"):
        cluster.jobs.plot("one", "roc")

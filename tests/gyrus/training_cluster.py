"""A Kubernetes with trainings that only remembers, for tests without a cluster."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from gyrus.errors import Unavailable
from gyrus.launch.cluster_jobs import RayJobs
from gyrus.launch.jobs import TrainingRequest
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

    def __init__(self) -> None:
        self.made: dict[str, ModelVersion] = {}
        self.away = 0

    def made_by(self, run: str) -> ModelVersion | None:
        if self.away:
            self.away -= 1
            raise Unavailable("MLflow does not answer.")
        return self.made.get(run)


class TrainingCluster:
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

"""Models into the replicas of a RayService, over a Kubernetes that only remembers."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import httpx2
import pytest
import yaml

from gyrus.errors import Unavailable
from gyrus.launch.kubernetes import RayService
from gyrus.launch.replicas import AGREEING
from gyrus.registry import ModelVersion
from tests.bundles import CARD
from tests.kubernetes import client_of, refusal

SOURCE = "mlflow-artifacts:/1/run/artifacts/bundle"
MODEL = ModelVersion(
    version=3,
    digest="abc",
    source=SOURCE,
    bundle=None,
    card=CARD,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    champion=True,
)
SERVE_CONFIG = """\
# as the chart writes it
proxy_location: EveryNode
applications:
  - name: classify
    route_prefix: /classify
    import_path: serve_app.app:classify
    deployments:
      - name: Classify
        autoscaling_config: {min_replicas: 2, max_replicas: 4}
  - name: explain
    route_prefix: /explain
    import_path: serve_app.app:explain
  - name: other
    route_prefix: /other
    import_path: a:b
"""


class FakeCluster:
    """A RayService whose replicas take what they are told; `conflicts` of its changes are lost."""

    def __init__(self, conflicts: int = 0) -> None:
        self.service: dict[str, Any] = {
            "metadata": {"name": "gyrus", "resourceVersion": "7"},
            "spec": {"serveConfigV2": SERVE_CONFIG, "rayClusterConfig": {"rayVersion": "2.60"}},
        }
        self.conflicts = conflicts
        self.patches: list[dict[str, Any]] = []
        self.slow_answers = 3
        self.asked: list[str] = []
        self.refusal: dict[str, str] | None = None
        self.fails: httpx2.Response | Exception | None = None

    def api(self, request: httpx2.Request) -> httpx2.Response:
        """The Kubernetes API."""
        assert request.url.path == "/apis/ray.io/v1/namespaces/team/rayservices/gyrus"
        if isinstance(self.fails, Exception):
            raise self.fails
        if self.fails is not None:
            return self.fails
        if request.method == "PATCH":
            assert request.headers["Content-Type"] == "application/merge-patch+json"
            body = json.loads(request.content)
            if self.conflicts:
                self.conflicts -= 1
                self.service["metadata"]["resourceVersion"] += "1"
            if body["metadata"]["resourceVersion"] != self.service["metadata"]["resourceVersion"]:
                return refusal(409, "Conflict")
            self.patches.append(body)
            self.service["spec"] |= body["spec"]
        return httpx2.Response(200, json=self.service)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """A replica's answer: it comes late, then with the old model, then with the new one."""
        assert request.headers["Authorization"] == "Bearer secret"
        self.asked.append(str(request.url))
        self.slow_answers -= 1
        if self.slow_answers == 1:
            raise httpx.ConnectError("no route")
        if self.slow_answers > 0:
            return httpx.Response(503)
        old = self.slow_answers == 0 or self.refusal is not None
        model = {"version": 2, "digest": "old"} if old else {"version": 3, "digest": "abc"}
        return httpx.Response(200, json={"model": model, "refused": self.refusal})

    def config(self) -> Any:
        return yaml.safe_load(self.service["spec"]["serveConfigV2"])


def ray_service(cluster: FakeCluster) -> RayService:
    transport = httpx.MockTransport(cluster.answer)
    return RayService(
        "gyrus",
        "team",
        "http://serve:8000",
        "secret",
        client_of(cluster.api),
        transport=transport,
    )


def test_a_push_names_the_model_and_changes_nothing_else() -> None:
    cluster = FakeCluster()
    expected = cluster.config()
    told = {"source": SOURCE, "digest": "abc", "version": 3}
    expected["applications"][0]["deployments"][0]["user_config"] = told
    expected["applications"][1]["deployments"] = [{"name": "Explain", "user_config": told}]
    ray_service(cluster).push(MODEL)
    assert cluster.config() == expected
    [patch] = cluster.patches
    assert set(patch["spec"]) == {"serveConfigV2"}


def test_a_push_ends_when_the_replicas_of_both_applications_agree() -> None:
    cluster = FakeCluster()
    ray_service(cluster).push(MODEL)
    assert cluster.asked.count("http://serve:8000/classify") == 3 + AGREEING
    assert cluster.asked.count("http://serve:8000/explain") == AGREEING


def test_a_change_by_another_at_the_same_time_is_kept() -> None:
    cluster = FakeCluster(conflicts=2)
    ray_service(cluster).push(MODEL)
    assert len(cluster.patches) == 1
    with pytest.raises(Unavailable, match="Others keep changing the RayService gyrus"):
        ray_service(FakeCluster(conflicts=100)).push(MODEL)


def test_a_refused_model_is_unavailable_with_the_reason() -> None:
    cluster = FakeCluster()
    cluster.refusal = {"digest": "abc", "detail": "it is broken"}
    with pytest.raises(Unavailable, match=r"/classify refused .* serve version 2: it is broken"):
        ray_service(cluster).push(MODEL)


def test_replicas_that_keep_the_old_model_are_unavailable() -> None:
    cluster = FakeCluster()
    cluster.slow_answers = 0
    cluster.refusal = {"digest": "another", "detail": "older"}
    with pytest.raises(Unavailable, match="/classify still serve version 2 after 0 seconds"):
        ray_service(cluster).push(MODEL, seconds=0.4)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (refusal(404, "NotFound"), "RayService gyrus in .* team: 404 Not"),
        (refusal(403, "Forbidden"), "403 Forbidden"),
        (
            refusal(403, "Forbidden", "exceeded quota: cpus."),
            r"403 Forbidden: exceeded quota: cpus\.$",
        ),
        (httpx2.Response(502, text="<html>"), r"502 Bad Gateway\.$"),
        (httpx2.Response(502), "does not answer"),
        (httpx2.Response(200, text="<html>"), "does not answer"),
        (httpx2.ConnectError("no route"), "Kubernetes does not answer"),
    ],
)
def test_a_cluster_that_refuses_is_unavailable(
    error: httpx2.Response | Exception, sentence: str
) -> None:
    cluster = FakeCluster()
    cluster.fails = error
    with pytest.raises(Unavailable, match=sentence):
        ray_service(cluster).push(MODEL)


def test_a_ray_service_without_our_applications_is_unavailable() -> None:
    cluster = FakeCluster()
    cluster.service["spec"].pop("serveConfigV2")
    with pytest.raises(Unavailable, match="no application of Gyrus"):
        ray_service(cluster).push(MODEL)

"""Models into replicas, over a fake of Ray Serve's REST API."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from gyrus.errors import Unavailable
from gyrus.launch.serving import ServeClient
from gyrus.registry import ModelVersion
from tests.bundles import CARD

MODEL = ModelVersion(
    version=3,
    digest="abc",
    source="/bundles/abc",
    bundle=Path("/bundles/abc"),
    card=CARD,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    champion=True,
)
TOLD = {"source": "/bundles/abc", "digest": "abc", "version": 3}


class FakeServe:
    """Takes a configuration, and is there after some looks at it."""

    def __init__(self, ends_as: str = "RUNNING", looks: int = 2) -> None:
        self.ends_as = ends_as
        self.looks = looks
        self.config: dict[str, Any] = {"applications": []}
        self.puts: list[dict[str, Any]] = []
        self.left = 0
        self.served: dict[str, Any] | None = None
        self.refused: dict[str, Any] | None = None
        self.mended = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "127.0.0.1":
            assert request.headers["Authorization"] == "Bearer secret"
            assert request.url.port == 8001
            said = {"model": self.served, "refused": self.refused}
            if self.mended:
                self.served, self.refused = {"version": 3, "digest": "abc"}, None
            return httpx.Response(200, json=said)
        if request.headers.get("Authorization") != "Bearer token":
            return httpx.Response(401, text="no token")
        if request.method == "PUT":
            self.config = json.loads(request.content)
            self.puts.append(self.config)
            self.left = self.looks
            return httpx.Response(200)
        self.left = max(self.left - 1, 0)
        status = "DEPLOYING" if self.left else self.ends_as
        applications = {
            one["name"]: {
                "status": status,
                "message": "",
                "deployed_app_config": one,
                "deployments": {"D": {"status": "UNHEALTHY", "message": "trace\nno memory\n"}},
            }
            for one in self.config["applications"]
        }
        kept = {key: self.config.get(key) for key in ("proxy_location", "http_options")}
        return httpx.Response(200, json={**kept, "applications": applications})


def client(serve: FakeServe, token: str = "token", secret: str = "") -> ServeClient:
    transport = httpx.MockTransport(serve)
    return ServeClient("http://ray", token, secret=secret, transport=transport)


def test_both_applications_are_deployed_on_loopback_with_the_champion() -> None:
    serve, checks = FakeServe(), []
    client(serve).deploy(MODEL, 8001, check=lambda: checks.append(1))
    [config] = serve.puts
    assert config["http_options"] == {"host": "127.0.0.1", "port": 8001}
    assert config["proxy_location"] == "HeadOnly"
    assert [one["import_path"] for one in config["applications"]] == [
        "serve_app.app:classify",
        "serve_app.app:explain",
    ]
    assert [one["deployments"][0]["user_config"] for one in config["applications"]] == [TOLD, TOLD]
    assert len(checks) == 2


def test_without_a_champion_replicas_are_told_nothing() -> None:
    serve = FakeServe()
    client(serve).deploy(None, 8001)
    assert serve.puts[0]["applications"][0]["deployments"][0]["user_config"] == {}


def test_a_push_changes_the_model_and_nothing_else() -> None:
    serve = FakeServe()
    client(serve).deploy(None, 8001)
    serve.config["applications"][0]["deployments"][0]["num_replicas"] = 4
    other = {"name": "other", "import_path": "a:b", "route_prefix": "/other"}
    serve.config["applications"].append(other)
    before = json.loads(json.dumps(serve.config))
    client(serve).push(MODEL)
    for application in before["applications"][:2]:
        application["deployments"][0]["user_config"] = TOLD
    assert serve.puts[-1] == before


@pytest.mark.parametrize("ago", [{}, {"seconds_ago": 0.0}])
@pytest.mark.parametrize(
    ("served", "keeps"), [({"version": 2, "digest": "old"}, "version 2"), (None, "none")]
)
def test_a_push_that_a_replica_refused_is_unavailable(
    served: dict[str, Any] | None, keeps: str, ago: dict[str, float]
) -> None:
    serve = FakeServe()
    client(serve).deploy(None, 8001)
    serve.served = served
    serve.refused = {"digest": "abc", "detail": "it is broken", **ago}
    with pytest.raises(Unavailable, match=f"/classify refused .* serve {keeps}: it is broken"):
        client(serve, secret="secret").push(MODEL)


def test_a_push_of_a_model_that_was_refused_before_waits_for_another_try() -> None:
    serve = FakeServe()
    client(serve).deploy(None, 8001)
    serve.refused = {"digest": "abc", "detail": "it is broken", "seconds_ago": 40.0}
    serve.mended = True
    client(serve, secret="secret").push(MODEL)


def test_a_push_that_the_replicas_took_is_confirmed() -> None:
    serve = FakeServe()
    client(serve).deploy(None, 8001)
    serve.served = {"version": 3, "digest": "abc"}
    with client(serve, secret="secret") as asking:
        asking.push(MODEL)


def test_a_push_before_the_applications_are_there_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="no application"):
        client(FakeServe()).push(MODEL)


def test_a_failed_deployment_says_why() -> None:
    with pytest.raises(Unavailable, match="classify does not run: no memory"):
        client(FakeServe(ends_as="DEPLOY_FAILED")).deploy(MODEL, 8001)


def test_a_deployment_that_takes_too_long_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="classify is DEPLOYING"):
        client(FakeServe(looks=1000)).deploy(MODEL, 8001, seconds=0.05)


def test_a_wrong_token_is_said_so() -> None:
    with pytest.raises(Unavailable, match="401"):
        client(FakeServe(), token="wrong").push(MODEL)

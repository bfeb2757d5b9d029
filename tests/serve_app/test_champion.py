"""The champion of an MLflow server, over a fake of its REST API."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from gyrus.bundle import CARD, ONNX, README, digest
from gyrus.errors import InvalidBundle, Unavailable
from gyrus.settings import PlatformSettings
from serve_app.champion import KEPT, Mlflow, mlflow_of
from serve_app.inference import ModelConfig
from serve_app.replica import Replica
from serve_app.settings import ServeSettings

ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/"


class FakeMlflow:
    """Hands out registered bundles, and says which is champion."""

    def __init__(self) -> None:
        self.folders: dict[str, Path] = {}
        self.champion: ModelConfig | None = None
        self.answer: Callable[[httpx.Request], httpx.Response] | None = None
        self.requests: list[httpx.Request] = []

    def register(self, local: ModelConfig) -> ModelConfig:
        """Take a bundle; returns how the server names it."""
        self.folders[f"1/run {local.version}/artifacts/bundle"] = Path(local.source)
        source = f"mlflow-artifacts:/1/run {local.version}/artifacts/bundle"
        return local.model_copy(update={"source": source})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.answer is not None:
            return self.answer(request)
        if request.url.path.startswith(ARTIFACTS):
            run, name = request.url.path.removeprefix(ARTIFACTS).split("/artifacts/bundle/")
            file = self.folders.get(f"{run}/artifacts/bundle", Path("none")) / name
            return httpx.Response(200, content=file.read_bytes()) if file.is_file() else missing()
        assert request.url.path == "/api/2.0/mlflow/registered-models/alias"
        assert dict(request.url.params) == {"name": "gyrus", "alias": "champion"}
        if self.champion is None:
            return missing()
        version = {
            "source": self.champion.source,
            "version": str(self.champion.version),
            "tags": [{"key": "digest", "value": self.champion.digest}],
        }
        return httpx.Response(200, json={"model_version": version})

    def at(self, cache: Path) -> Mlflow:
        """A client of it."""
        return Mlflow("http://mlflow:5000", cache, httpx.MockTransport(self))


def missing() -> httpx.Response:
    return httpx.Response(404, json={"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"})


def unreachable(_request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no route")


@pytest.fixture
def server() -> FakeMlflow:
    return FakeMlflow()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "home" / "bundles"


def test_champion_is_found_with_its_number(
    server: FakeMlflow, cache: Path, make_bundle: Callable[..., ModelConfig]
) -> None:
    assert server.at(cache).champion() is None
    server.champion = server.register(make_bundle(12))
    assert server.at(cache).champion() == server.champion


def test_alias_that_is_not_set_is_no_champion(server: FakeMlflow, cache: Path) -> None:
    said = {"error_code": "INVALID_PARAMETER_VALUE", "message": "alias champion not found"}
    server.answer = lambda _: httpx.Response(400, json=said)
    assert server.at(cache).champion() is None


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (unreachable, "MLflow at mlflow does not answer"),
        (lambda _: httpx.Response(503, json={}), "answers with 503"),
        (lambda _: httpx.Response(401, json={}), "answers with 401"),
        (lambda _: httpx.Response(200, text="<html>sign in"), "not answer like MLflow"),
        (lambda _: httpx.Response(200, json={"model_version": {}}), "not answer like MLflow"),
    ],
)
def test_server_that_does_not_answer_is_unavailable(
    server: FakeMlflow, cache: Path, answer: Any, sentence: str
) -> None:
    server.answer = answer
    with pytest.raises(Unavailable, match=sentence):
        server.at(cache).champion()


def test_bundle_is_downloaded_once(
    server: FakeMlflow, cache: Path, make_bundle: Callable[..., ModelConfig]
) -> None:
    config = server.register(make_bundle())
    folder = server.at(cache).fetch(config)
    assert folder == cache / config.digest
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {CARD, ONNX, README, "model.keras", "plots/roc.png"}
    asked = len(server.requests)
    assert server.at(cache).fetch(config) == folder
    assert len(server.requests) == asked
    assert [one.name for one in cache.iterdir()] == [config.digest]


@pytest.mark.parametrize("name", ["../outside", "plots/../../outside", "/outside"])
def test_bundle_that_names_files_outside_of_it_is_refused(
    server: FakeMlflow, cache: Path, make_bundle: Callable[..., ModelConfig], name: str
) -> None:
    local = make_bundle()
    card = Path(local.source) / CARD
    card.write_text(card.read_text().replace('"plots/roc.png"', f'"{name}"'))
    config = server.register(local.model_copy(update={"digest": digest(card.parent)}))
    with pytest.raises(InvalidBundle, match="outside of it"):
        server.at(cache).fetch(config)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("spoilt", [CARD, ONNX])
def test_bundle_that_was_changed_leaves_nothing(
    server: FakeMlflow, cache: Path, make_bundle: Callable[..., ModelConfig], spoilt: str
) -> None:
    local = make_bundle()
    config = server.register(local)
    with (Path(local.source) / spoilt).open("ab") as file:
        file.write(b" ")
    with pytest.raises(InvalidBundle):
        server.at(cache).fetch(config)
    assert list(cache.iterdir()) == []


def test_download_that_breaks_off_leaves_nothing(
    server: FakeMlflow, cache: Path, make_bundle: Callable[..., ModelConfig]
) -> None:
    config = server.register(make_bundle())

    def break_off(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith(ONNX):
            raise httpx.ReadError("connection reset")
        server.answer = None
        answer = server(request)
        server.answer = break_off
        return answer

    server.answer = break_off
    with pytest.raises(Unavailable, match="does not answer"):
        server.at(cache).fetch(config)
    assert list(cache.iterdir()) == []


def test_bundle_that_the_server_lacks_or_cannot_hand_out_is_invalid(
    server: FakeMlflow, cache: Path, make_bundle: Callable[..., ModelConfig]
) -> None:
    config = make_bundle()
    gone = config.model_copy(update={"source": "mlflow-artifacts:/1/gone/artifacts/bundle"})
    with pytest.raises(InvalidBundle, match=r"no card\.json of version 1"):
        server.at(cache).fetch(gone)
    elsewhere = config.model_copy(update={"source": "s3://bucket/bundle"})
    with pytest.raises(InvalidBundle, match="must hand it out itself"):
        server.at(cache).fetch(elsewhere)


def test_cache_keeps_the_newest_bundles(
    server: FakeMlflow, cache: Path, make_bundle: Callable[..., ModelConfig]
) -> None:
    configs = [server.register(make_bundle(n, seed=n)) for n in range(1, KEPT + 2)]
    for config in configs:
        server.at(cache).fetch(config)
    assert {one.name for one in cache.iterdir()} == {one.digest for one in configs[1:]}


def test_signs_in_as_mlflow_does(
    server: FakeMlflow, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "abc")
    server.at(cache).champion()
    assert server.requests[-1].headers["Authorization"] == "Bearer abc"
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    server.at(cache).champion()
    assert server.requests[-1].headers["Authorization"].startswith("Basic ")


def test_registry_in_a_file_is_no_server(tmp_path: Path) -> None:
    for uri in ("", "sqlite:////home/mlflow.db"):
        assert mlflow_of(PlatformSettings(home=tmp_path, tracking_uri=uri)) is None
    assert mlflow_of(PlatformSettings(home=tmp_path, tracking_uri="http://mlflow:5000"))


async def test_replica_serves_the_champion_and_then_what_it_is_told(
    server: FakeMlflow,
    cache: Path,
    make_bundle: Callable[..., ModelConfig],
    settings: ServeSettings,
) -> None:
    first, second = server.register(make_bundle(1)), server.register(make_bundle(2, seed=2))
    server.champion = first
    replica = Replica(True, settings, batch=lambda **_: lambda run: run, mlflow=server.at(cache))
    await replica.reconfigure({})
    assert await served(replica) == (1, first.digest)
    await replica.reconfigure(second.model_dump())
    async with asyncio.timeout(20):
        while await served(replica) != (2, second.digest):
            await asyncio.sleep(0.02)


async def served(replica: Replica) -> tuple[int, str]:
    headers = [(b"authorization", b"Bearer a-secret-of-the-tests")]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
    model = json.loads((await replica(Request(scope))).body)["model"]
    return model["version"], model["digest"]

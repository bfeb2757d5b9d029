import asyncio
import base64
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from pydantic import SecretStr
from starlette.requests import Request

from gyrus.bundle import read_card
from gyrus.errors import InvalidBundle
from serve_app.engine import Engine, Outputs
from serve_app.inference import Model, ModelConfig
from serve_app.replica import STALLED_S, Replica
from serve_app.settings import ServeSettings


def batch(
    max_batch_size: int, batch_wait_timeout_s: float, max_concurrent_batches: int
) -> Callable[..., Any]:
    """`serve.batch` without Ray: a batch goes when it is full or its first image has waited."""

    def decorate(run: Callable[[list[Any]], Awaitable[list[Any]]]) -> Callable[..., Any]:
        waiting: list[tuple[Any, asyncio.Future[Any]]] = []
        free = asyncio.Semaphore(max_concurrent_batches)

        async def flush() -> None:
            taken, waiting[:] = waiting[:], []
            if not taken:
                return
            async with free:
                try:
                    answers = await run([item for item, _ in taken])
                except Exception as error:
                    for _, future in taken:
                        future.set_exception(error)
                    return
            for (_, future), one in zip(taken, answers, strict=True):
                future.set_result(one)

        async def enqueue(item: Any) -> Any:
            future = asyncio.get_running_loop().create_future()
            waiting.append((item, future))
            if len(waiting) < max_batch_size:
                await asyncio.sleep(batch_wait_timeout_s)
            await flush()
            return await future

        return enqueue

    return decorate


class FakeEngine:
    """Sure of one class; may be held until it is released; counts its batches."""

    def __init__(self, sure_of: int = 0) -> None:
        self.sure_of = sure_of
        self.batches: list[int] = []
        self.released = threading.Event()
        self.released.set()

    def infer(self, images: np.ndarray, explain: bool) -> Outputs:
        self.batches.append(len(images))
        assert self.released.wait(60)
        probabilities = np.zeros((len(images), 4), np.float32)
        probabilities[:, self.sure_of] = 1
        cam = np.ones((len(images), 4, 7, 7), np.float32) if explain else None
        return Outputs(probabilities, np.ones(len(images), np.float32), cam)


def loader_of(engines: dict[int, Engine]) -> Callable[..., Model]:
    def load(config: ModelConfig, bundle: Path, settings: ServeSettings, *, explain: bool) -> Model:
        if config.version not in engines:
            raise InvalidBundle("The bundle is broken.")
        return Model(engines[config.version], read_card(bundle), config)

    return load


def client(replica: Replica, secret: str = "a-secret-of-the-tests") -> httpx.AsyncClient:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        response = await replica(Request(scope, receive))
        await response(scope, receive, send)

    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://replica",
        headers={"Authorization": f"Bearer {secret}"},
    )


def told(config: ModelConfig) -> dict[str, Any]:
    return config.model_dump(mode="json")


def check_problem(response: httpx.Response, status: int, kind: str) -> None:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == f"urn:gyrus:problem:{kind}"
    assert response.json()["detail"]


async def test_explanation_has_a_map_and_a_thumbnail(
    make_bundle: Callable, settings: ServeSettings, png: bytes
) -> None:
    replica = Replica(True, settings, batch=batch)
    await replica.reconfigure(told(make_bundle(3)))
    async with client(replica) as http:
        response = await http.post("/?thumbnail=1", content=png)
    assert response.status_code == 200
    said = response.json()
    assert said["model"]["version"] == 3
    assert said["cam"]["shape"] == [4, 7, 7]
    assert len(base64.b64decode(said["cam"]["data"])) == 4 * 7 * 7 * 2
    assert base64.b64decode(said["thumbnail"]).startswith(b"\x89PNG")


async def test_classification_has_no_map(
    make_bundle: Callable, settings: ServeSettings, png: bytes
) -> None:
    replica = Replica(False, settings, batch=batch)
    await replica.reconfigure(told(make_bundle()))
    async with client(replica) as http:
        said = (await http.post("/", content=png)).json()
    assert "cam" not in said
    assert sum(said["probabilities"].values()) == pytest.approx(1, abs=1e-5)


async def test_replica_without_a_model_is_healthy_and_says_so(
    settings: ServeSettings, png: bytes
) -> None:
    replica = Replica(False, settings, batch=batch)
    await replica.reconfigure({})
    await replica.check_health()
    async with client(replica) as http:
        check_problem(await http.post("/", content=png), 503, "no-model")
        assert (await http.get("/")).json() == {"model": None, "refused": None}


@pytest.mark.parametrize(
    ("accepted", "sent", "status"),
    [
        ("old", "old", 200),
        ("old", "new", 401),
        ("old new", "old", 200),
        ("old new", "new", 200),
        ("new old", "old", 200),
        ("new", "old", 401),
        ("old new", "old new", 401),
        ("old new", "", 401),
    ],
)
async def test_any_of_the_secrets_is_accepted(
    settings: ServeSettings, accepted: str, sent: str, status: int
) -> None:
    def long(words: str) -> str:
        return " ".join(f"{word}-secret-of-the-tests" for word in words.split())

    given = settings.model_copy(update={"secret": SecretStr(long(accepted))})
    async with client(Replica(False, given, batch=batch), long(sent)) as http:
        assert (await http.get("/")).status_code == status


@pytest.mark.parametrize("given", ["", "Bearer ", "Bearer wrong", "Basic x", "Bearer é"])
async def test_caller_without_the_secret_is_refused(
    settings: ServeSettings, png: bytes, given: str
) -> None:
    async with client(Replica(False, settings, batch=batch)) as http:
        headers = {"Authorization": given.encode("latin-1")}
        response = await http.post("/", content=png, headers=headers)
    check_problem(response, 401, "unauthorized")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("upload", "status", "kind"),
    [
        (b"", 400, "empty-upload"),
        (b"Dear colleague", 415, "unsupported-image"),
        (b"\x89PNG\r\n\x1a\n", 415, "unsupported-image"),
    ],
)
async def test_upload_that_is_no_image_gets_a_problem(
    make_bundle: Callable, settings: ServeSettings, upload: bytes, status: int, kind: str
) -> None:
    replica = Replica(False, settings, batch=batch)
    await replica.reconfigure(told(make_bundle()))
    async with client(replica) as http:
        check_problem(await http.post("/", content=upload), status, kind)


async def test_announced_large_upload_is_refused_unread(
    make_bundle: Callable, settings: ServeSettings
) -> None:
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 200:
            sent += 1
            yield b"\0" * 2**20

    replica = Replica(False, settings, batch=batch)
    await replica.reconfigure(told(make_bundle()))
    async with client(replica) as http:
        headers = {"Content-Length": str(200 * 2**20)}
        response = await http.post("/", content=body(), headers=headers)
    check_problem(response, 413, "upload-too-large")
    assert sent == 0


async def test_unannounced_large_upload_is_refused_before_it_is_all_read(
    make_bundle: Callable, settings: ServeSettings
) -> None:
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 200:
            sent += 1
            yield b"\0" * 2**20

    replica = Replica(False, settings, batch=batch)
    await replica.reconfigure(told(make_bundle()))
    async with client(replica) as http:
        response = await http.post("/", content=body())
    check_problem(response, 413, "upload-too-large")
    assert sent <= 22


async def test_simultaneous_requests_share_a_batch(
    make_bundle: Callable, settings: ServeSettings, png: bytes
) -> None:
    engine = FakeEngine()
    patient = settings.model_copy(update={"batch_wait_s": 0.5})
    replica = Replica(False, patient, loader_of({1: engine}), batch)
    await replica.reconfigure(told(make_bundle(1)))
    async with client(replica) as http:
        responses = await asyncio.gather(*(http.post("/", content=png) for _ in range(4)))
    assert {response.status_code for response in responses} == {200}
    assert engine.batches == [4]


async def test_requests_under_way_end_on_the_old_model(
    make_bundle: Callable, settings: ServeSettings, png: bytes
) -> None:
    old, new = FakeEngine(0), FakeEngine(1)
    old.released.clear()
    replica = Replica(False, settings, loader_of({1: old, 2: new}), batch)
    await replica.reconfigure(told(make_bundle(1)))
    async with client(replica) as http:
        under_way = asyncio.create_task(http.post("/", content=png))
        while not old.batches:
            await asyncio.sleep(0.01)
        await replica.reconfigure(told(make_bundle(2)))
        after = asyncio.create_task(http.post("/", content=png))
        await asyncio.sleep(0.05)
        old.released.set()
        first, second = (await under_way).json(), (await after).json()
    assert (first["model"]["version"], first["label"]) == (1, "glioma")
    assert (second["model"]["version"], second["label"]) == (2, "meningioma")


async def test_batch_over_a_swap_answers_each_request_with_its_model(
    make_bundle: Callable, settings: ServeSettings, png: bytes
) -> None:
    engines = {1: FakeEngine(0), 2: FakeEngine(1)}
    patient = settings.model_copy(update={"batch_wait_s": 0.3})
    replica = Replica(False, patient, loader_of(engines), batch)
    await replica.reconfigure(told(make_bundle(1)))
    async with client(replica) as http:
        before = asyncio.create_task(http.post("/", content=png))
        await asyncio.sleep(0.1)
        await replica.reconfigure(told(make_bundle(2)))
        after = asyncio.create_task(http.post("/", content=png))
        said = [(await task).json() for task in (before, after)]
    assert [one["label"] for one in said] == ["glioma", "meningioma"]
    assert [one["model"]["version"] for one in said] == [1, 2]


async def test_model_that_cannot_be_loaded_leaves_the_old_one(
    make_bundle: Callable, settings: ServeSettings, png: bytes
) -> None:
    replica = Replica(False, settings, loader_of({1: FakeEngine()}), batch)
    await replica.reconfigure(told(make_bundle(1)))
    await replica.reconfigure(told(make_bundle(2)))
    await replica.reconfigure({"what": "is this"})
    async with client(replica) as http:
        assert (await http.post("/", content=png)).json()["model"]["version"] == 1
        said = (await http.get("/")).json()
    assert said["model"]["version"] == 1
    assert "what" in said["refused"]["detail"]


async def test_first_model_that_cannot_be_loaded_is_an_error(
    make_bundle: Callable, settings: ServeSettings
) -> None:
    replica = Replica(False, settings, loader_of({}), batch)
    with pytest.raises(InvalidBundle, match="broken"):
        await replica.reconfigure(told(make_bundle(1)))


async def test_model_is_taken_away(make_bundle: Callable, settings: ServeSettings) -> None:
    replica = Replica(False, settings, loader_of({1: FakeEngine()}), batch)
    await replica.reconfigure(told(make_bundle(1)))
    await replica.reconfigure({})
    async with client(replica) as http:
        check_problem(await http.post("/", content=b"x"), 503, "no-model")


async def test_health_checks_do_not_wait_for_the_engine(
    make_bundle: Callable, settings: ServeSettings, png: bytes
) -> None:
    engine = FakeEngine()
    engine.released.clear()
    replica = Replica(False, settings, loader_of({1: engine}), batch)
    await replica.reconfigure(told(make_bundle(1)))
    async with client(replica) as http:
        under_way = asyncio.create_task(http.post("/", content=png))
        while not engine.batches:
            await asyncio.sleep(0.01)
        async with asyncio.timeout(30):
            await replica.check_health()
        assert not under_way.done()
        engine.released.set()
        assert (await under_way).status_code == 200


async def test_engine_that_stalls_makes_the_replica_unhealthy(
    make_bundle: Callable, settings: ServeSettings, png: bytes
) -> None:
    now = 0.0
    engine = FakeEngine()
    engine.released.clear()
    replica = Replica(False, settings, loader_of({1: engine}), batch, clock=lambda: now)
    await replica.reconfigure(told(make_bundle(1)))
    async with client(replica) as http:
        under_way = asyncio.create_task(http.post("/", content=png))
        while not engine.batches:
            await asyncio.sleep(0.01)
        now = STALLED_S
        await replica.check_health()
        now = STALLED_S + 1
        with pytest.raises(RuntimeError, match="has not answered"):
            await replica.check_health()
        engine.released.set()
        assert (await under_way).status_code == 200
        await replica.check_health()


async def test_decoder_that_stalls_makes_the_replica_unhealthy_though_its_client_left(
    settings: ServeSettings,
) -> None:
    now = 0.0
    replica = Replica(False, settings, batch=batch, clock=lambda: now)
    started, released = threading.Event(), threading.Event()

    def decode() -> None:
        started.set()
        released.wait(60)

    under_way = asyncio.create_task(replica._run(replica._decoders, decode))
    assert await asyncio.to_thread(started.wait, 60)
    under_way.cancel()
    now = STALLED_S + 1
    with pytest.raises(RuntimeError, match="has not answered"):
        await replica.check_health()
    released.set()
    replica._decoders.shutdown()
    await replica.check_health()


async def test_engine_that_fails_is_told_as_a_problem_and_the_replica_goes_on(
    make_bundle: Callable, settings: ServeSettings, png: bytes
) -> None:
    engine = FakeEngine(sure_of=99)
    replica = Replica(False, settings, loader_of({1: engine}), batch)
    await replica.reconfigure(told(make_bundle(1)))
    async with client(replica) as http:
        check_problem(await http.post("/", content=png), 500, "internal")
        engine.sure_of = 2
        assert (await http.post("/", content=png)).json()["label"] == "notumor"

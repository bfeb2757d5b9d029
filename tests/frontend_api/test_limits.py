"""Bodies that are too large, and the headers of every answer."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from starlette.requests import ClientDisconnect
from starlette.types import Message

from frontend_api.__main__ import server_options
from frontend_api.middleware import BodyLimit
from frontend_api.settings import GatewaySettings

LIMIT = 20 * 1024 * 1024


async def chunks(size: int) -> AsyncIterator[bytes]:
    yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    for _ in range(size // 65536 + 1):
        yield bytes(65536)


async def test_a_large_upload_is_answered_before_it_is_read() -> None:
    events: list[str] = []
    sent: list[Message] = []

    async def receive() -> Message:
        events.append("read")
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        events.append(message["type"])
        sent.append(message)

    async def app(*_: Any) -> None:
        raise AssertionError("the application must not be called")

    headers = [(b"content-length", b"200000000")]
    scope = {"type": "http", "method": "POST", "path": "/v1/predictions"}
    await BodyLimit(app, LIMIT)({**scope, "headers": headers}, receive, send)
    assert events[:2] == ["http.response.start", "http.response.body"]
    assert sent[0]["status"] == 413
    assert (b"connection", b"close") in sent[0]["headers"]

    events.clear()
    waiting = [*headers, (b"expect", b"100-continue")]
    await BodyLimit(app, LIMIT)({**scope, "headers": waiting}, receive, send)
    assert "read" not in events


async def test_a_large_upload_is_a_413(gateway: Any, alice: Any, assert_problem: Any) -> None:
    answer = await gateway.predict(alice, image=bytes(LIMIT + 1))
    assert_problem(answer, 413, "upload-too-large")
    assert "20 MB" in answer.json()["detail"]
    assert gateway.serve.requests == []


@pytest.mark.parametrize(
    ("path", "kind", "limit"),
    [
        ("/v1/predictions", "multipart/form-data; boundary=x", LIMIT),
        ("/v1/users", "application/json", BodyLimit.OTHER),
        ("/v1/token", "application/x-www-form-urlencoded", BodyLimit.OTHER),
    ],
)
async def test_a_body_of_unknown_length_is_counted_while_it_streams(
    gateway: Any, alice: Any, assert_problem: Any, path: str, kind: str, limit: int
) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        async for chunk in chunks(3 * LIMIT):
            read += len(chunk)
            yield chunk

    answer = await gateway.client.post(path, content=body(), headers=alice | {"Content-Type": kind})
    assert_problem(answer, 413, "upload-too-large")
    assert read <= limit + 2 * 65536


async def test_only_an_upload_may_be_large(gateway: Any, alice: Any, assert_problem: Any) -> None:
    nested = b"[" * BodyLimit.OTHER + b"]"
    for method, path in (("POST", "/v1/users"), ("GET", "/v1/predictions"), ("POST", "/v1/token")):
        answer = await gateway.client.request(
            method, path, content=nested, headers=alice | {"Content-Type": "application/json"}
        )
        assert_problem(answer, 413, "upload-too-large")
        assert "64 KiB" in answer.json()["detail"]


async def test_who_leaves_while_uploading_is_no_error(
    gateway: Any, alice: Any, caplog: Any
) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"--x\r\n"
        raise ClientDisconnect

    headers = alice | {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await gateway.client.post("/v1/predictions", content=body(), headers=headers)
    assert answer.status_code == 499
    assert "unexpected" not in caplog.text
    assert 'status="499"' in (await gateway.client.get("/metrics")).text


@pytest.mark.parametrize(("trusted", "seen"), [("", "127.0.0.1"), ("127.0.0.1", "6.6.6.6")])
async def test_an_address_that_a_header_claims_is_believed_of_trusted_proxies_only(
    settings: GatewaySettings, trusted: str, seen: str
) -> None:
    clients: list[Any] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        clients.append(scope["client"][0])

    given = settings.model_copy(update={"forwarded_allow_ips": trusted})
    config = uvicorn.Config(app, **server_options(given), lifespan="off", interface="asgi3")
    config.load()
    headers = [(b"x-forwarded-for", b"6.6.6.6")]
    scope: Any = {"type": "http", "client": ("127.0.0.1", 5), "headers": headers}
    await config.loaded_app(scope, None, None)  # type: ignore[arg-type]
    assert clients == [seen]


async def test_nobody_makes_us_read_an_upload_without_signing_in(
    gateway: Any, assert_problem: Any
) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        async for chunk in chunks(LIMIT // 2):
            read += len(chunk)
            yield chunk

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await gateway.client.post("/v1/predictions", content=body(), headers=headers)
    assert_problem(answer, 401, "unauthorized")
    assert read == 0


async def test_every_answer_has_an_id_and_the_security_headers(gateway: Any) -> None:
    for path in ("/v1/me", "/health/live", "/nothing", "/static/nothing", "/docs"):
        answer = await gateway.client.get(path)
        assert len(answer.headers["X-Request-ID"]) == 36
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "img-src 'self' blob:;" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] in ("no-store", "no-cache")


async def test_a_well_formed_request_id_is_kept_and_another_is_not(gateway: Any) -> None:
    for given, kept in (("trace-0001", True), ("bad id\t", False), ("x" * 65, False)):
        answer = await gateway.client.get("/health/live", headers={"X-Request-ID": given})
        assert (answer.headers["X-Request-ID"] == given) is kept


async def test_unknown_places_and_methods_are_problems(gateway: Any, assert_problem: Any) -> None:
    assert_problem(await gateway.client.get("/v1/nothing"), 404, "not-found")
    answer = await gateway.client.put("/v1/me")
    assert_problem(answer, 405, "method-not-allowed")
    assert answer.headers["Allow"] == "GET"


async def test_what_nobody_foresaw_is_a_problem_that_tells_nothing(
    gateway: Any, alice: Any, assert_problem: Any
) -> None:
    gateway.registry.versions = None
    answer = await gateway.client.get("/v1/models", headers=alice)
    assert_problem(answer, 500, "internal")
    assert "NoneType" not in answer.text

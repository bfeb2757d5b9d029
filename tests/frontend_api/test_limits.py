"""Bodies that are too large, and the headers of every answer."""

import gc
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.types import Message

from frontend_api.middleware import BodyLimit

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
    await BodyLimit(app, LIMIT)({"type": "http", "headers": headers}, receive, send)
    assert events[:2] == ["http.response.start", "http.response.body"]
    assert sent[0]["status"] == 413
    assert (b"connection", b"close") in sent[0]["headers"]

    events.clear()
    waiting = [*headers, (b"expect", b"100-continue")]
    await BodyLimit(app, LIMIT)({"type": "http", "headers": waiting}, receive, send)
    assert "read" not in events


async def test_a_large_upload_is_a_413(gateway: Any, alice: Any, assert_problem: Any) -> None:
    answer = await gateway.predict(alice, image=bytes(LIMIT + 1))
    assert_problem(answer, 413, "upload-too-large")
    assert "20 MB" in answer.json()["detail"]
    assert gateway.serve.requests == []


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/v1/predictions", "multipart/form-data; boundary=x"), ("/v1/users", "application/json")],
)
async def test_a_body_of_unknown_length_is_counted_while_it_streams(
    gateway: Any, alice: Any, assert_problem: Any, path: str, kind: str
) -> None:
    tracemalloc.start()
    answer = await gateway.client.post(
        path, content=chunks(3 * LIMIT), headers=alice | {"Content-Type": kind}
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert_problem(answer, 413, "upload-too-large")
    assert peak < 4 * LIMIT
    gc.collect()


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
        assert "img-src 'self' blob: data:" in policy
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

"""What the gateway does with each answer of Ray Serve."""

import asyncio
import socket
import sys
from typing import Any

import httpx
import pytest

from frontend_api.metrics import Metrics
from frontend_api.serve_client import ServeClient
from gyrus.errors import CorruptImage, GyrusError, NoModel, Unauthorized, UnsupportedImage
from gyrus.launch.ports import LOOPBACK

PROBLEM = "application/problem+json"


def problem(error: GyrusError) -> httpx.Response:
    return httpx.Response(error.status, json=error.problem(), headers={"Content-Type": PROBLEM})


@pytest.mark.parametrize(
    "fault",
    [
        httpx.RemoteProtocolError("Server disconnected"),
        httpx.ConnectError("refused"),
        httpx.Response(500),
        httpx.Response(502),
        httpx.Response(503),
        httpx.Response(504),
    ],
)
async def test_a_dropped_call_is_made_once_more(gateway: Any, alice: Any, fault: Any) -> None:
    gateway.serve.then = [fault]
    assert (await gateway.predict(alice)).status_code == 201
    assert len(gateway.serve.requests) == 2


async def test_a_second_failure_is_told_with_a_time_to_retry(
    gateway: Any, alice: Any, assert_problem: Any
) -> None:
    gateway.serve.then = [httpx.ReadError("gone"), httpx.Response(500)]
    answer = await gateway.predict(alice)
    assert_problem(answer, 503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert len(gateway.serve.requests) == 2
    page = await gateway.client.get("/v1/predictions", headers=alice)
    assert page.json()["items"] == []


@pytest.mark.parametrize("fault", [httpx.ReadTimeout("slow"), httpx.PoolTimeout("full")])
async def test_a_replica_that_takes_too_long_is_not_asked_again(
    gateway: Any, alice: Any, assert_problem: Any, fault: httpx.TimeoutException
) -> None:
    gateway.serve.then = [fault]
    assert_problem(await gateway.predict(alice), 503, "unavailable")
    assert len(gateway.serve.requests) == 1


async def test_a_missing_model_is_told_at_once(
    gateway: Any, alice: Any, assert_problem: Any
) -> None:
    gateway.serve.then = [problem(NoModel("Promote a model first."))]
    answer = await gateway.predict(alice)
    assert_problem(answer, 503, "no-model")
    assert answer.json()["detail"] == "Promote a model first."
    assert len(gateway.serve.requests) == 1


@pytest.mark.parametrize("error", [CorruptImage("cut off"), UnsupportedImage("a text")])
async def test_what_a_replica_says_of_an_image_is_passed_on(
    gateway: Any, alice: Any, assert_problem: Any, error: GyrusError
) -> None:
    gateway.serve.then = [problem(error)]
    answer = await gateway.predict(alice)
    assert_problem(answer, error.status, error.type)
    assert answer.json()["detail"] == error.detail


@pytest.mark.parametrize(
    "answer",
    [
        problem(Unauthorized("wrong secret")),
        httpx.Response(404, text="no such application"),
        httpx.Response(200, json={"label": "?"}),
    ],
)
async def test_a_fault_between_our_parts_is_not_put_on_the_client(
    gateway: Any, alice: Any, assert_problem: Any, answer: httpx.Response
) -> None:
    gateway.serve.then = [answer]
    assert_problem(await gateway.predict(alice), 503, "unavailable")


@pytest.mark.skipif(sys.platform != "linux", reason="these options are Linux'")
async def test_a_connection_to_a_lost_node_is_given_up_after_ten_seconds() -> None:
    closed = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await reader.read()  # until the other end closes
        writer.close()
        await writer.wait_closed()
        closed.set()

    server = await asyncio.start_server(answer, LOOPBACK, 0)
    host, port = server.sockets[0].getsockname()
    async with server, ServeClient(f"http://{host}:{port}", "secret", Metrics()) as client:
        response = await client._http.get("/")
        own = response.extensions["network_stream"].get_extra_info("socket")
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10_000
        # For a call that waits for its answer, of which nothing is on its way.
        assert own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 5
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 2
    await closed.wait()

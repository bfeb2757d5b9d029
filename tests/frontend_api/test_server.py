import signal
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from lightkube import Client
from lightkube.resources.core_v1 import Pod

from frontend_api.app import create_app
from frontend_api.server import DrainingServer
from gyrus.errors import Unavailable
from gyrus.launch.ports import pick_ports
from tests.kubernetes import client_of


def test_after_sigterm_requests_are_taken_and_connections_closed() -> None:
    app = FastAPI()
    app.add_api_route("/", lambda: "here")
    [port] = pick_ports(1)
    server = DrainingServer(uvicorn.Config(app, port=port, log_config=None), seconds=30)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{port}/"
    with httpx.Client(transport=httpx.HTTPTransport(retries=10)) as client:
        assert "Connection" not in client.get(url).headers
        server.handle_exit(signal.SIGTERM, None)
        # uvicorn looks at its headers once a second.
        while "Connection" not in (answer := client.get(url)).headers:
            time.sleep(0.05)
        assert (answer.headers["Connection"], answer.text) == ("close", '"here"')
        assert client.get(url).text == '"here"'
        server.handle_exit(signal.SIGTERM, None)
    thread.join(60)
    assert not thread.is_alive()


def test_when_its_time_is_over_it_stops() -> None:
    server = DrainingServer(uvicorn.Config(FastAPI()), seconds=0.1)
    server.handle_exit(signal.SIGTERM, None)
    deadline = time.monotonic() + 60
    while not server.should_exit:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_second_signal_stops_at_once() -> None:
    server = DrainingServer(uvicorn.Config(FastAPI()), seconds=60)
    server.handle_exit(signal.SIGTERM, None)
    assert not server.should_exit
    server.handle_exit(signal.SIGTERM, None)
    assert server.should_exit


async def test_one_client_of_kubernetes_is_made_and_closed(gateway: Any) -> None:
    made: list[Client] = []

    def connect() -> Client:
        nothing = {"metadata": {"resourceVersion": "1"}, "items": [], "spec": {}}
        made.append(client_of(lambda _request: httpx2.Response(200, json=nothing)))
        return made[-1]

    cluster = {"rayservice": "gyrus", "rayjob_template": Path("rayjob.yaml")}
    settings = gateway.settings.model_copy(update=cluster)
    app = create_app(settings, registry=gateway.registry, connect=connect)
    async with app.router.lifespan_context(app) as state:
        assert await state["gateway"].trainings.jobs() == []
        for _ in range(2):
            with pytest.raises(Unavailable, match="no application of Gyrus"):
                await state["gateway"].models.promote(3)
    [client] = made
    with pytest.raises(RuntimeError, match="closed"):
        client.get(Pod, "any", namespace="any")


async def test_a_gateway_without_kubernetes_makes_no_client(gateway: Any) -> None:
    app = create_app(gateway.settings, registry=gateway.registry, connect=pytest.fail)
    async with app.router.lifespan_context(app) as state:
        assert await state["gateway"].trainings.jobs() == []

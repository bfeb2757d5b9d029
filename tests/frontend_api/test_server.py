import signal
import threading
import time

import httpx
import uvicorn
from fastapi import FastAPI

from frontend_api.server import DrainingServer
from gyrus.launch.ports import pick_ports


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

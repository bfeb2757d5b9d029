import signal
import threading
import time

import httpx
import uvicorn
from fastapi import FastAPI

from frontend_api.server import DrainingServer
from gyrus.launch.ports import pick_ports


def test_after_sigterm_requests_are_taken_and_connections_closed_until_it_stops() -> None:
    app = FastAPI()
    app.add_api_route("/", lambda: "here")
    [port] = pick_ports(1)
    server = DrainingServer(uvicorn.Config(app, port=port, log_config=None), seconds=3)
    thread = threading.Thread(target=server.run)
    thread.start()
    url = f"http://127.0.0.1:{port}/"
    with httpx.Client(transport=httpx.HTTPTransport(retries=10)) as client:
        assert "Connection" not in client.get(url).headers
        server.handle_exit(signal.SIGTERM, None)
        time.sleep(1.2)  # uvicorn looks at its headers once a second
        assert client.get(url).headers["Connection"] == "close"
        assert client.get(url).text == '"here"'
    thread.join(30)
    assert not thread.is_alive()


def test_a_second_signal_stops_at_once() -> None:
    server = DrainingServer(uvicorn.Config(FastAPI()), seconds=60)
    server.handle_exit(signal.SIGTERM, None)
    assert not server.should_exit
    server.handle_exit(signal.SIGTERM, None)
    assert server.should_exit

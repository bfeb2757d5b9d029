"""From training to a prediction with its heatmap, in real processes, as a client sees it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import psutil
import pytest

from gyrus import phantom
from gyrus.imaging import SIZE, encode_png

pytestmark = pytest.mark.ray

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def client(running: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, timeout=30) as client:
        account = {"email": "client@example.com", "password": PASSWORD, "consent": True}
        assert client.post("/v1/users", json=account).status_code in {201, 409}
        form = {"username": account["email"], "password": PASSWORD}
        token = client.post("/v1/token", data=form).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


def upload(client: httpx.Client, data: bytes, name: str = "scan.png") -> httpx.Response:
    return client.post("/v1/predictions?explain=true", files={"file": (name, data)})


def test_an_image_is_answered_with_label_probabilities_and_heatmap(client: httpx.Client) -> None:
    image, _ = phantom.draw("glioma", seed=3)
    response = upload(client, encode_png(image))
    assert response.status_code == 201, response.text
    answer = response.json()
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert answer["label"] == max(answer["probabilities"], key=answer["probabilities"].get)
    assert answer["decision"] in {"tumour", "no_tumour", "uncertain"}
    assert answer["model"]["synthetic"] is True
    heatmap = client.get(answer["links"]["heatmap"])
    seen = client.get(answer["links"]["image"])
    for picture in (heatmap, seen):
        assert picture.headers["content-type"] == "image/png"
        decoded = cv2.imdecode(np.frombuffer(picture.content, np.uint8), cv2.IMREAD_COLOR)
        assert decoded.shape == (SIZE, SIZE, 3)
    history = client.get("/v1/predictions").json()["items"]
    assert history[0]["id"] == answer["id"]


@pytest.mark.parametrize(
    ("data", "status", "problem"),
    [
        (b"this is no image", 415, "unsupported-image"),
        (b"", 400, "empty-upload"),
        (
            cv2.imencode(".jpg", np.full((300, 300), 90, np.uint8))[1].tobytes()[:400],
            422,
            "corrupt-image",
        ),
    ],
)
def test_what_is_no_image_gets_a_problem(
    client: httpx.Client, data: bytes, status: int, problem: str
) -> None:
    response = upload(client, data)
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/problem+json")
    assert response.json()["type"].endswith(problem)


def test_every_socket_is_on_loopback(running: Any) -> None:
    tree = [psutil.Process(running.pid), *psutil.Process(running.pid).children(recursive=True)]
    listening = [
        connection.laddr.ip.removeprefix("::ffff:")
        for process in tree
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) > 5
    assert set(listening) <= {"127.0.0.1", "::1"}


def test_the_command_line_predicts_what_the_api_predicts(
    client: httpx.Client, running: Any, tmp_path: Path
) -> None:
    image, _ = phantom.draw("meningioma", seed=8)
    scan = tmp_path / "scan.png"
    scan.write_bytes(encode_png(image))
    told = json.loads(running.gyrus("predict", str(scan), "--json"))
    answer = upload(client, scan.read_bytes()).json()
    assert told["label"] == answer["label"]
    assert told["probabilities"] == pytest.approx(answer["probabilities"], abs=0.02)

"""Trainings over the API of a running Gyrus, on its Ray."""

import json
from collections.abc import Iterator
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from gyrus.plots import NAMES
from tests.events import follow

pytestmark = pytest.mark.ray

URL = "/v1/training-jobs"
TINY = {"dataset": "small", "epochs": 2, "filters": 8}


@pytest.fixture(scope="module")
def admin(running: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, timeout=120) as client:
        form = {"username": "admin@example.com", "password": running.admin_password}
        token = client.post("/v1/token", data=form).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


def test_a_training_is_followed_to_its_model(admin: httpx.Client, running: Any) -> None:
    started = admin.post(URL, json={**TINY, "run": "from-the-api"})
    assert started.status_code == 201, started.text
    second = admin.post(URL, json=TINY)
    assert second.status_code == 409
    assert "from-the-api" in second.json()["detail"]
    kinds = []
    for event in follow(admin, "from-the-api"):
        if not kinds:
            assert admin.get(f"{URL}/from-the-api").json()["state"] == "running"
        kinds.append(event["kind"])
    assert kinds.count("epoch") == 2
    assert kinds[-2:] == ["evaluation", "done"], event["message"]
    job = admin.get(f"{URL}/from-the-api").json()
    assert job["state"] == "succeeded"
    assert admin.get(f"/v1/models/{job['version']}").json()["dataset"] == "small"
    for name in NAMES:
        plot = admin.get(f"{URL}/from-the-api/plots/{name}.png").content
        assert cv2.imdecode(np.frombuffer(plot, np.uint8), cv2.IMREAD_COLOR).std() > 10
    told = json.loads(running.gyrus("jobs", "list", "--json"))
    assert [one["state"] for one in told if one["id"] == "from-the-api"] == ["succeeded"]


def test_a_cancelled_training_ends_and_its_follower_is_told(admin: httpx.Client) -> None:
    assert admin.post(URL, json={**TINY, "run": "cancelled"}).status_code == 201
    assert admin.delete(f"{URL}/cancelled").status_code == 204
    [last] = follow(admin, "cancelled")
    assert (last["kind"], last["message"]) == ("failed", "The run was cancelled.")
    assert admin.get(f"{URL}/cancelled").json()["state"] == "cancelled"

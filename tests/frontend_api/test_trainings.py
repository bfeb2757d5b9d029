"""Training jobs over the API, with a launcher that trains nothing."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gyrus.progress import Progress

URL = "/v1/training-jobs"
ASKED = {"dataset": "phantom", "run": "one", "model": "mobilenetv2", "workers": 2}
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def told(number: int, kind: Any, **fields: Any) -> Progress:
    return Progress(run="one", kind=kind, time=BEGAN + timedelta(seconds=number), **fields)


def parse(stream: str) -> list[dict[str, str]]:
    """The events of an event stream, field by field."""
    frames = [frame for frame in stream.split("\n\n") if frame and not frame.startswith(":")]
    return [dict(line.split(": ", 1) for line in frame.split("\n")) for frame in frames]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", ""),
        ("GET", ""),
        ("GET", "/one"),
        ("DELETE", "/one"),
        ("GET", "/one/events"),
        ("GET", "/one/plots/roc.png"),
    ],
)
async def test_trainings_are_for_administrators(
    gateway: Any, alice: Any, assert_problem: Any, method: str, path: str
) -> None:
    body = {"json": ASKED} if method == "POST" else {}
    answer = await gateway.client.request(method, URL + path, headers=alice, **body)
    assert_problem(answer, 403, "forbidden")
    assert_problem(await gateway.client.request(method, URL + path, **body), 401, "unauthorized")
    assert not gateway.trainings.started


async def test_a_training_is_started_listed_and_cancelled(
    gateway: Any, admin: Any, assert_problem: Any
) -> None:
    answer = await gateway.client.post(URL, json=ASKED, headers=admin)
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"{URL}/one"
    job = answer.json()
    assert (job["id"], job["state"], job["version"]) == ("one", "running", None)
    assert job["request"] | ASKED == job["request"]
    assert job["request"]["epochs"] == 50
    page = (await gateway.client.get(URL, headers=admin)).json()
    assert page == {"items": [job], "next_cursor": None}
    assert (await gateway.client.get(f"{URL}/one", headers=admin)).json() == job
    second = await gateway.client.post(URL, json=ASKED | {"run": "two"}, headers=admin)
    assert_problem(second, 409, "conflict")
    assert "one" in second.json()["detail"]
    assert (await gateway.client.delete(f"{URL}/one", headers=admin)).status_code == 204
    assert (await gateway.client.get(f"{URL}/one", headers=admin)).json()["state"] == "cancelled"
    assert_problem(await gateway.client.delete(f"{URL}/one", headers=admin), 409, "conflict")


async def test_a_run_without_a_name_is_named_after_its_dataset(gateway: Any, admin: Any) -> None:
    answer = await gateway.client.post(URL, json={"dataset": "phantom"}, headers=admin)
    assert answer.json()["id"].startswith("phantom-cnn-2")


@pytest.mark.parametrize(
    "wrong",
    [
        {"dataset": "../secrets"},
        {"run": "Capital"},
        {"run": "../up"},
        {"weights": "/etc/passwd"},
        {"weights": "../weights.h5"},
        {"model": "vgg"},
        {"workers": 0},
        {"workers": 65},
        {"batch": 1, "workers": 2},
        {"min_workers": 3, "workers": 2},
        {"epochs": 100_000},
        {"learning_rate": 0},
        {"seed": -1},
        {"storage": "/tmp"},
    ],
)
async def test_what_cannot_be_trained_is_refused(
    gateway: Any, admin: Any, assert_problem: Any, wrong: dict[str, Any]
) -> None:
    answer = await gateway.client.post(URL, json=ASKED | wrong, headers=admin)
    assert_problem(answer, 400, "invalid-input")
    assert not gateway.trainings.started


async def test_what_is_not_there_is_not_found(
    gateway: Any, admin: Any, assert_problem: Any
) -> None:
    unknown = await gateway.client.post(URL, json=ASKED | {"dataset": "none"}, headers=admin)
    assert_problem(unknown, 404, "not-found")
    for path in ("/none", "/none/events", "/none/plots/roc.png"):
        assert_problem(await gateway.client.get(URL + path, headers=admin), 404, "not-found")
    assert_problem(await gateway.client.delete(f"{URL}/none", headers=admin), 404, "not-found")


async def test_events_come_as_a_stream_that_ends_with_the_job(gateway: Any, admin: Any) -> None:
    await gateway.client.post(URL, json=ASKED, headers=admin)
    events = [
        told(1, "epoch", epoch=1, of=2, loss=0.5, metrics={"val_auroc": 0.9}),
        told(2, "epoch", epoch=2, of=2, loss=0.25),
        told(3, "done", message="version 4"),
    ]
    gateway.trainings.told = [None, events[0], None, *events[1:]]
    gateway.trainings.text = "a warning\n"
    answer = await gateway.client.get(f"{URL}/one/events", headers=admin)
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    frames = parse(answer.text)
    progress = [frame for frame in frames if frame["event"] == "progress"]
    assert [Progress.model_validate_json(frame["data"]) for frame in progress] == events
    [log] = [frame for frame in frames if frame["event"] == "log"]
    assert json.loads(log["data"]) == {"tail": "a warning\n"}

    again = await gateway.client.get(
        f"{URL}/one/events", headers=admin | {"Last-Event-ID": progress[0]["id"]}
    )
    rest = [frame["id"] for frame in parse(again.text) if frame["event"] == "progress"]
    assert rest == [frame["id"] for frame in progress[1:]]


async def test_a_log_that_cannot_be_read_ends_no_stream(gateway: Any, admin: Any) -> None:
    await gateway.client.post(URL, json=ASKED, headers=admin)
    gateway.trainings.told = [told(1, "epoch"), told(2, "done", message="version 4")]
    gateway.trainings.hides_log = True
    answer = await gateway.client.get(f"{URL}/one/events", headers=admin)
    assert [frame["event"] for frame in parse(answer.text)] == ["progress", "progress"]


async def test_an_event_id_that_was_never_given_is_refused(
    gateway: Any, admin: Any, assert_problem: Any
) -> None:
    await gateway.client.post(URL, json=ASKED, headers=admin)
    for wrong in ("first", "2026-01-01T00:00:00"):
        answer = await gateway.client.get(
            f"{URL}/one/events", headers=admin | {"Last-Event-ID": wrong}
        )
        assert_problem(answer, 400, "invalid-input")


async def test_plots_are_pictures_of_fixed_names(
    gateway: Any, admin: Any, assert_problem: Any
) -> None:
    await gateway.client.post(URL, json=ASKED, headers=admin)
    early = await gateway.client.get(f"{URL}/one/plots/roc.png", headers=admin)
    assert_problem(early, 404, "not-found")
    await gateway.client.delete(f"{URL}/one", headers=admin)
    for name in ("curves", "roc", "confusion", "reliability"):
        plot = await gateway.client.get(f"{URL}/one/plots/{name}.png", headers=admin)
        assert plot.headers["Content-Type"] == "image/png"
        assert plot.content == f"plot {name}".encode()
    wrong = await gateway.client.get(f"{URL}/one/plots/config.png", headers=admin)
    assert_problem(wrong, 400, "invalid-input")

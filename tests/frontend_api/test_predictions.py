"""Predictions: made, kept, drawn, paged, deleted, and never anyone else's."""

import asyncio
import base64
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from sqlalchemy import func, select

from frontend_api.database import new_id
from frontend_api.predictions.repository import Prediction
from frontend_api.settings import GatewaySettings


def picture(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "image/png"
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)


async def count(gateway: Any) -> int:
    query = select(func.count()).select_from(Prediction)
    return int(await gateway.database.run(lambda session: session.scalar(query)))


async def test_a_prediction_is_made_kept_and_deleted(
    gateway: Any, alice: Any, assert_problem: Any
) -> None:
    made = await gateway.predict(alice, explain=True)
    assert made.status_code == 201
    body = made.json()
    assert body["label"] == "glioma"
    assert body["label_is_tumour"] is True
    assert body["decision"] == "tumour"
    assert list(body["probabilities"].items())[1] == ("meningioma", 0.15)
    assert body["confidence"] == 0.7
    assert body["tumour_probability"] == 0.9
    assert (body["threshold"], body["upper_threshold"]) == (0.5, 0.75)
    assert body["crop"] == {"x": -3, "y": 4, "width": 300, "height": 300}
    assert body["model"]["version"] == 2
    assert body["model"]["synthetic"] is True
    assert body["explained"] is True
    assert body["created_at"].endswith("Z")
    address = f"/v1/predictions/{body['id']}"
    assert made.headers["Location"] == address
    assert body["links"] == {
        "self": address,
        "image": f"{address}/image.png",
        "heatmap": f"{address}/heatmap.png",
    }
    assert (await gateway.client.get(address, headers=alice)).json() == body
    assert (await gateway.client.delete(address, headers=alice)).status_code == 204
    for method in ("GET", "DELETE"):
        answer = await gateway.client.request(method, address, headers=alice)
        assert_problem(answer, 404, "not-found")
    assert await count(gateway) == 0


async def test_the_upload_reaches_serve_untouched_and_without_its_name(
    gateway: Any, alice: Any
) -> None:
    await gateway.predict(alice, image=b"\x00bytes\xff")
    (request,) = gateway.serve.requests
    assert request.url == "http://serve/classify?thumbnail=1"
    assert request.headers["Authorization"] == "Bearer the-first-of-the-secrets"
    assert request.content == b"\x00bytes\xff"
    assert "patient-name" not in str(request.headers)


async def test_a_prediction_without_explanation_has_no_heatmap(
    gateway: Any, alice: Any, assert_problem: Any
) -> None:
    body = (await gateway.predict(alice)).json()
    assert body["explained"] is False
    assert body["links"]["heatmap"] is None
    heatmap = await gateway.client.get(f"{body['links']['self']}/heatmap.png", headers=alice)
    assert_problem(heatmap, 404, "not-found")


async def test_the_pictures_are_drawn_from_what_is_stored(gateway: Any, alice: Any) -> None:
    links = (await gateway.predict(alice, explain=True)).json()["links"]

    async def draw(**params: Any) -> Any:
        return picture(await gateway.client.get(links["heatmap"], params=params, headers=alice))

    image = picture(await gateway.client.get(links["image"], headers=alice))
    assert image.shape == (224, 224, 3)
    assert (image == 100).all()
    bare = await draw(colormap="gray", opacity=1)
    row, column = np.unravel_index(bare[:, :, 0].argmax(), (224, 224))
    assert (row // 32, column // 32) == (1, 5)
    assert bare.max() == 255
    assert bare[150:, :100].max() == 0
    assert (await draw(opacity=0) == image).all()
    assert not (await draw(**{"class": "notumor", "colormap": "gray", "opacity": 1})).any()
    drawn = [await draw(colormap=name) for name in ("inferno", "viridis", "jet", "gray")]
    assert len({one.tobytes() for one in drawn}) == 4
    assert (await draw() == drawn[0]).all()


@pytest.mark.parametrize("params", [{"class": "cat"}, {"opacity": 2}, {"colormap": "pink"}])
async def test_a_heatmap_that_cannot_be_drawn_is_refused(
    gateway: Any, alice: Any, assert_problem: Any, params: dict[str, Any]
) -> None:
    links = (await gateway.predict(alice, explain=True)).json()["links"]
    answer = await gateway.client.get(links["heatmap"], params=params, headers=alice)
    assert_problem(answer, 400, "invalid-input")


async def test_another_users_prediction_does_not_exist(
    gateway: Any, alice: Any, bob: Any, assert_problem: Any
) -> None:
    links = (await gateway.predict(alice, explain=True)).json()["links"]
    for method, link in [
        ("GET", "self"),
        ("DELETE", "self"),
        ("GET", "image"),
        ("GET", "heatmap"),
    ]:
        answer = await gateway.client.request(method, links[link], headers=bob)
        assert_problem(answer, 404, "not-found")
        answer = await gateway.client.request(method, links[link])
        assert_problem(answer, 401, "unauthorized")
    assert (await gateway.client.get("/v1/predictions", headers=bob)).json()["items"] == []
    assert (await gateway.client.get(links["self"], headers=alice)).status_code == 200


async def test_history_is_paged_newest_first(gateway: Any, alice: Any, bob: Any) -> None:
    made = [(await gateway.predict(alice)).json()["id"] for _ in range(5)]
    await gateway.predict(bob)
    seen: list[str] = []
    cursor = None
    for size in (2, 2, 1):
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = await gateway.client.get("/v1/predictions", params=params, headers=alice)
        assert len(page.json()["items"]) == size
        seen += [item["id"] for item in page.json()["items"]]
        cursor = page.json()["next_cursor"]
    assert cursor is None
    assert seen == made[::-1]


def cursor_of(moment: str) -> str:
    return base64.urlsafe_b64encode(f"{moment} {new_id()}".encode()).decode()


@pytest.mark.parametrize(
    "params",
    [
        {"cursor": "!"},
        {"cursor": "YQ=="},
        {"cursor": cursor_of("yesterday")},
        {"cursor": cursor_of("0001-01-01T00:00:00+14:00")},
        {"cursor": cursor_of("9999-12-31T23:59:59-14:00")},
        {"limit": 0},
    ],
)
async def test_a_bad_page_is_refused(
    gateway: Any, alice: Any, assert_problem: Any, params: dict[str, Any]
) -> None:
    answer = await gateway.client.get("/v1/predictions", params=params, headers=alice)
    assert_problem(answer, 400, "invalid-input")


async def test_the_same_idempotency_key_gives_the_same_prediction(
    gateway: Any, alice: Any, bob: Any, assert_problem: Any
) -> None:
    key = {"Idempotency-Key": "once"}
    first = await gateway.predict(alice | key)
    again = await gateway.predict(alice | key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert len(gateway.serve.requests) == 1
    other = await gateway.predict(bob | key)
    assert other.status_code == 201
    assert other.json()["id"] != first.json()["id"]
    assert_problem(await gateway.predict(alice | key, image=b"other"), 409, "conflict")


async def test_what_an_older_replica_does_not_say_is_not_known(gateway: Any, alice: Any) -> None:
    answer = gateway.serve.answer(explain=False)
    del answer["label_is_tumour"], answer["upper_threshold"]
    gateway.serve.then = [httpx.Response(200, json=answer)]
    made = await gateway.predict(alice)
    assert made.status_code == 201
    assert (made.json()["label_is_tumour"], made.json()["upper_threshold"]) == (None, None)


async def test_uploads_wait_for_room_and_are_refused_when_there_is_none(
    settings: GatewaySettings, run_gateway: Any, assert_problem: Any
) -> None:
    async with run_gateway(settings.model_copy(update={"max_uploads": 2})) as gateway:
        alice = await gateway.user("alice@example.com")
        gateway.serve.answering.clear()
        held = [asyncio.create_task(gateway.predict(alice)) for _ in range(2)]
        while len(gateway.serve.requests) < 2:
            await asyncio.sleep(0.01)
        refused = await gateway.predict(alice)
        assert_problem(refused, 503, "unavailable")
        assert int(refused.headers["Retry-After"]) > 0
        waiting = asyncio.create_task(gateway.predict(alice))
        await asyncio.sleep(0.1)
        gateway.serve.answering.set()
        assert [(await one).status_code for one in [*held, waiting]] == [201, 201, 201]


async def test_the_same_key_at_once_is_kept_once(gateway: Any, alice: Any) -> None:
    headers = alice | {"Idempotency-Key": "once"}
    answers = await asyncio.gather(*(gateway.predict(headers) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await count(gateway) == 1


async def test_what_is_answered_is_committed(gateway: Any, alice: Any) -> None:
    answers = await asyncio.gather(*(gateway.predict(alice) for _ in range(16)))
    assert {answer.status_code for answer in answers} == {201}
    assert await count(gateway) == 16


async def test_nothing_is_answered_that_could_not_be_kept(
    gateway: Any, alice: Any, assert_problem: Any
) -> None:
    def drop(session: Any) -> None:
        Prediction.__table__.drop(session.connection())

    await gateway.database.run(drop)
    answer = await gateway.predict(alice)
    assert_problem(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "5"


async def test_an_empty_or_missing_file_is_refused(
    gateway: Any, alice: Any, assert_problem: Any
) -> None:
    assert_problem(await gateway.predict(alice, image=b""), 400, "empty-upload")
    for data in ({"file": "text"}, None):
        answer = await gateway.client.post("/v1/predictions", data=data, headers=alice)
        assert_problem(answer, 400, "invalid-input")
    broken = await gateway.client.post(
        "/v1/predictions",
        content=b"--x\r\nnonsense",
        headers=alice | {"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert_problem(broken, 400, "invalid-input")
    assert gateway.serve.requests == []

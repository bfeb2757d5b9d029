"""The registered models: everyone signed in looks, an administrator changes."""

from contextlib import nullcontext
from typing import Any

import pytest
from mlflow.exceptions import MlflowException

from frontend_api.models.service import ModelService, Push
from gyrus.errors import InvalidBundle, Unavailable
from gyrus.registry import ModelVersion


async def test_models_are_listed_for_those_who_are_signed_in(
    gateway: Any, alice: Any, assert_problem: Any
) -> None:
    assert_problem(await gateway.client.get("/v1/models"), 401, "unauthorized")
    page = (await gateway.client.get("/v1/models", headers=alice)).json()
    assert [model["version"] for model in page["items"]] == [3, 2, 1]
    assert [model["champion"] for model in page["items"]] == [False, True, False]
    assert page["next_cursor"] is None
    one = (await gateway.client.get("/v1/models/2", headers=alice)).json()
    assert one == page["items"][1]
    assert one["synthetic"] is True
    figures = {"auroc": 0.97, "auroc_low": 0.9, "auroc_high": 0.99, "test_images": 60}
    assert one["metrics"] == figures
    missing = await gateway.client.get("/v1/models/9", headers=alice)
    assert_problem(missing, 404, "not-found")


@pytest.mark.parametrize("action", ["3/promote", "rollback"])
async def test_only_an_administrator_changes_the_champion(
    gateway: Any, alice: Any, assert_problem: Any, action: str
) -> None:
    answer = await gateway.client.post(f"/v1/models/{action}", headers=alice)
    assert_problem(answer, 403, "forbidden")
    assert_problem(await gateway.client.post(f"/v1/models/{action}"), 401, "unauthorized")
    assert gateway.registry.current == 2
    assert gateway.pushed == []


async def test_a_promoted_model_is_pushed_and_can_be_rolled_back(
    gateway: Any, admin: Any, assert_problem: Any
) -> None:
    promoted = await gateway.client.post("/v1/models/3/promote", headers=admin)
    assert promoted.json()["version"] == 3
    assert promoted.json()["champion"] is True
    for before in (2, 1):
        rolled = await gateway.client.post("/v1/models/rollback", headers=admin)
        assert rolled.json()["version"] == before
    assert gateway.pushed == [3, 2, 1]
    none_before = await gateway.client.post("/v1/models/rollback", headers=admin)
    assert_problem(none_before, 409, "conflict")
    missing = await gateway.client.post("/v1/models/9/promote", headers=admin)
    assert_problem(missing, 404, "not-found")


async def test_a_champion_that_the_replicas_could_not_be_told_stays_registered(
    gateway: Any, admin: Any, assert_problem: Any
) -> None:
    gateway.settings.status_file.write_text('{"stage": "ready", "message": ""}')
    gateway.refuses_push = Unavailable("Ray Serve does not answer.")
    answer = await gateway.client.post("/v1/models/3/promote", headers=admin)
    assert_problem(answer, 503, "unavailable")
    assert answer.json()["detail"] == "Ray Serve does not answer."
    assert gateway.registry.current == 3
    assert (await gateway.client.get("/health/ready")).json()["model"]["version"] == 3
    gateway.refuses_push = None
    again = await gateway.client.post("/v1/models/3/promote", headers=admin)
    assert (again.status_code, gateway.pushed) == (200, [3])


async def promote_first(gateway: Any, push: Push, *, refused: bool) -> ModelService:
    """Promote version 1; the replicas serve it or, once it is pushed, refuse it."""

    def push_first(model: ModelVersion) -> None:
        push(model)
        if refused and model.version == 1:
            raise Unavailable("The replicas refused the model.")

    service = ModelService(gateway.registry, push_first)
    with pytest.raises(Unavailable, match="refused") if refused else nullcontext():
        assert (await service.promote(1)).version == 1
    return service


@pytest.mark.parametrize("refused", [False, True])
async def test_what_another_gateway_promoted_meanwhile_is_pushed_last(
    gateway: Any, refused: bool
) -> None:
    pushed = []

    def push(model: ModelVersion) -> None:
        pushed.append(model.version)
        if model.version == 1:
            gateway.registry.promote(3)

    service = await promote_first(gateway, push, refused=refused)
    assert pushed == [1, 3]
    champion = await service.champion()
    assert champion is not None
    assert champion.version == 3


@pytest.mark.parametrize("refused", [False, True])
async def test_a_registry_that_is_away_after_a_push_hides_not_what_became_of_it(
    gateway: Any, refused: bool
) -> None:
    def away() -> None:
        raise OSError("no route")

    def push(_: ModelVersion) -> None:
        gateway.registry.champion = away

    await promote_first(gateway, push, refused=refused)


async def test_a_damaged_bundle_does_not_become_champion(
    gateway: Any, admin: Any, assert_problem: Any
) -> None:
    def damaged(*_: int) -> None:
        raise InvalidBundle("model.onnx was changed.")

    gateway.registry.promote = gateway.registry.rollback = damaged
    for action in ("3/promote", "rollback"):
        answer = await gateway.client.post(f"/v1/models/{action}", headers=admin)
        assert_problem(answer, 422, "invalid-bundle")
    assert gateway.pushed == []


@pytest.mark.parametrize("error", [MlflowException("secret host"), ConnectionError("secret host")])
async def test_a_registry_that_does_not_answer_is_unavailable(
    gateway: Any, admin: Any, assert_problem: Any, error: Exception
) -> None:
    def fail(*_: int) -> None:
        raise error

    gateway.registry.versions = gateway.registry.promote = gateway.registry.rollback = fail
    requests = [("GET", ""), ("GET", "/2"), ("POST", "/3/promote"), ("POST", "/rollback")]
    for method, path in requests:
        answer = await gateway.client.request(method, f"/v1/models{path}", headers=admin)
        assert_problem(answer, 503, "unavailable")
        assert "secret" not in answer.text
        assert answer.headers["Retry-After"] == "5"

"""Which model a replica serves, with a registry and without."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gyrus.errors import InvalidBundle, NoModel, Unavailable
from serve_app.inference import Model, ModelConfig
from serve_app.served import Pauses, Served

SOON = Pauses(look=0.02, retry=0.02, start=60)


def config(version: int) -> ModelConfig:
    return ModelConfig(
        source=f"mlflow-artifacts:/{version}", digest=f"{version:064x}", version=version
    )


class Registry:
    """Knows the champion, if it answers at all, and loads models, if they are not broken."""

    def __init__(self, champion: int | None = None) -> None:
        self.number = champion
        self.answers = True
        self.broken: set[int] = set()
        self.loads: list[int] = []
        self.released = threading.Event()
        self.released.set()

    def champion(self) -> ModelConfig | None:
        if not self.answers:
            raise Unavailable("MLflow does not answer.")
        return None if self.number is None else config(self.number)

    def load(self, wanted: ModelConfig) -> Model:
        self.loads.append(wanted.version)
        assert self.released.wait(60)
        if not self.answers:
            raise Unavailable("MLflow does not answer.")
        if wanted.version in self.broken:
            raise InvalidBundle("The bundle is broken.")
        return Model(
            cast(Any, None), cast(Any, SimpleNamespace(architecture="cnn", synthetic=True)), wanted
        )

    def served(self) -> Served:
        return Served(self.load, self, SOON)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


def serves(served: Served, version: int) -> bool:
    try:
        return served.current().config.version == version
    except (NoModel, Unavailable):
        return False


async def test_start_with_a_champion_ends_when_it_serves() -> None:
    served = Registry(champion=1).served()
    await served.change({})
    assert serves(served, 1)


async def test_first_promotion_is_noticed_without_a_push() -> None:
    registry = Registry()
    served = registry.served()
    await served.change({})
    with pytest.raises(NoModel):
        served.current()
    registry.number = 1
    await until(lambda: serves(served, 1))


async def test_champion_is_followed_while_no_model_is_named() -> None:
    registry = Registry(champion=1)
    served = registry.served()
    await served.change({})
    registry.number = 2
    await until(lambda: serves(served, 2))
    assert registry.loads == [1, 2]


@pytest.mark.parametrize("named", [{}, config(1).model_dump()])
async def test_start_without_an_answer_is_healthy_and_tries_on(named: dict[str, Any]) -> None:
    registry = Registry(champion=1)
    registry.answers = False
    served = Served(registry.load, registry, replace(SOON, start=0.2))
    await served.change(named)
    with pytest.raises(Unavailable, match="could not be had yet: MLflow does not answer") as caught:
        served.current()
    assert caught.value.retry_after
    registry.answers = True
    await until(lambda: serves(served, 1))


async def test_configuration_that_is_emptied_keeps_the_champion_and_loads_nothing() -> None:
    registry = Registry(champion=2)
    served = registry.served()
    await served.change(config(2).model_dump())
    await served.change({})
    await asyncio.sleep(0.1)
    assert serves(served, 2)
    registry.number, registry.answers = None, True
    await asyncio.sleep(0.1)
    assert serves(served, 2)
    assert registry.loads == [2]


async def test_push_of_what_is_served_loads_nothing_and_takes_the_name() -> None:
    registry = Registry(champion=2)
    served = registry.served()
    await served.change({})
    renamed = config(2).model_copy(update={"version": 5})
    await served.change(renamed.model_dump())
    await until(lambda: serves(served, 5))
    assert registry.loads == [2]


async def test_named_model_comes_while_the_old_one_serves() -> None:
    registry = Registry()
    served = registry.served()
    await served.change(config(1).model_dump())
    registry.released.clear()
    await served.change(config(2).model_dump())
    await until(lambda: registry.loads == [1, 2])
    assert serves(served, 1)
    registry.released.set()
    await until(lambda: serves(served, 2))


async def test_last_named_model_wins() -> None:
    registry = Registry()
    served = registry.served()
    await served.change(config(1).model_dump())
    registry.released.clear()
    await served.change(config(2).model_dump())
    await until(lambda: registry.loads == [1, 2])
    await served.change(config(3).model_dump())
    registry.released.set()
    await until(lambda: serves(served, 3))
    await asyncio.sleep(0.1)
    assert serves(served, 3)


async def test_named_model_stays_when_the_champion_changes() -> None:
    registry = Registry(champion=1)
    served = registry.served()
    await served.change({})
    await served.change(config(1).model_dump())
    registry.number = 2
    await asyncio.sleep(0.1)
    assert serves(served, 1)


async def test_refused_champion_is_told_and_not_tried_again_soon() -> None:
    registry = Registry(champion=1)
    registry.broken = {1}
    served = registry.served()
    await served.change({})
    with pytest.raises(Unavailable, match="refused: The bundle is broken"):
        served.current()
    await asyncio.sleep(0.1)
    assert registry.loads == [1]
    registry.number = 2
    await until(lambda: serves(served, 2))
    assert served.describe()["refused"] is None


async def test_refused_push_keeps_the_old_model_and_says_why() -> None:
    registry = Registry()
    registry.broken = {2}
    served = registry.served()
    await served.change(config(1).model_dump())
    await served.change(config(2).model_dump())
    await until(lambda: registry.loads == [1, 2])
    await until(lambda: served.describe()["refused"] is not None)
    assert serves(served, 1)
    refused = served.describe()["refused"]
    assert (refused["digest"], refused["detail"]) == (config(2).digest, "The bundle is broken.")
    assert 0 <= refused["seconds_ago"] < 60


async def test_refused_model_is_tried_again_when_it_is_pushed() -> None:
    registry = Registry(champion=1)
    registry.broken = {1}
    served = registry.served()
    await served.change({})
    registry.broken.clear()
    await served.change(config(1).model_dump())
    assert serves(served, 1)


@pytest.mark.parametrize("source", ["mlflow-artifacts:/2", "/bundles/2"])
async def test_refused_push_is_tried_again_after_a_while(source: str) -> None:
    registry = Registry()
    registry.broken = {2}
    served = Served(registry.load, registry, replace(SOON, refused=0.1))
    await served.change(config(1).model_dump())
    await served.change(config(2).model_copy(update={"source": source}).model_dump())
    await until(lambda: registry.loads == [1, 2, 2])
    assert serves(served, 1)
    assert served.describe()["refused"] is not None
    registry.broken.clear()
    await until(lambda: serves(served, 2))
    assert served.describe()["refused"] is None


async def test_refused_champion_is_tried_again_after_a_while() -> None:
    registry = Registry(champion=1)
    registry.broken = {1}
    served = Served(registry.load, registry, replace(SOON, refused=0.1))
    await served.change({})
    registry.broken.clear()
    await until(lambda: serves(served, 1))


async def test_without_a_registry_empty_is_no_model() -> None:
    registry = Registry()
    served = Served(registry.load, None, SOON)
    local = config(1).model_copy(update={"source": "/bundles/1"})
    await served.change(local.model_dump())
    assert serves(served, 1)
    await served.change({})
    with pytest.raises(NoModel):
        served.current()

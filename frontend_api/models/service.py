"""The registry and what is served, seen from the gateway."""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeVar

import anyio
import anyio.to_thread

from frontend_api.models.champion import Champion
from gyrus.errors import GyrusError, NotFound, Unavailable
from gyrus.registry import ModelVersion

Answer = TypeVar("Answer")

log = logging.getLogger("gyrus.gateway")

Push = Callable[[ModelVersion], None]
"""Makes the replicas serve a model; returns when they do."""


class Registry(Protocol):
    """What the gateway needs of `gyrus.registry.Registry`."""

    def versions(self) -> list[ModelVersion]:
        """All models, newest first."""

    def champion(self) -> ModelVersion | None:
        """The champion, if there is one."""

    def promote(self, version: int) -> ModelVersion:
        """Make a model the champion; raises `NotFound` or `InvalidBundle`."""

    def rollback(self) -> ModelVersion:
        """Go back to the champion before; raises `Conflict` or `InvalidBundle`."""


class ModelService:
    """Lists models and changes the champion, in this process one change at a time.

    Another gateway may change it at the same time: what is champion in the end is served.
    """

    def __init__(self, registry: Registry, push: Push) -> None:
        self._registry = registry
        self._push = push
        self._changing = anyio.Lock()
        self._champion = Champion(lambda: anyio.to_thread.run_sync(registry.champion))

    async def versions(self) -> list[ModelVersion]:
        """All models, newest first; raises `Unavailable` when the registry does not answer."""
        return await _ask(self._registry.versions)

    async def get(self, version: int) -> ModelVersion:
        """One model; raises `NotFound`, or `Unavailable` like `versions`."""
        for model in await self.versions():
            if model.version == version:
                return model
        raise NotFound(f"There is no model version {version}.")

    async def champion(self) -> ModelVersion | None:
        """The champion, as of a few seconds ago; raises `Unavailable` while it is not known."""
        return await self._champion.get()

    @property
    def champion_is_known(self) -> bool:
        """Whether the registry has told it; else none was told, and there may well be one."""
        return self._champion.known

    def expect_champion(self) -> None:
        """Begin to read the champion, which will soon be asked for."""
        self._champion.refresh()

    async def promote(self, version: int) -> ModelVersion:
        """Make a model the champion, and have it served.

        Raises:
            NotFound: there is no such version.
            InvalidBundle: its bundle is damaged.
            Unavailable: the registry does not answer; or it is champion, but the replicas could
                not be told yet.
        """
        return await self._change(lambda: self._registry.promote(version))

    async def rollback(self) -> ModelVersion:
        """Go back to the champion before, and have it served.

        Raises:
            Conflict: there was none before.
            InvalidBundle: its bundle is damaged.
            Unavailable: as for `promote`.
        """
        return await self._change(self._registry.rollback)

    async def _change(self, change: Callable[[], ModelVersion]) -> ModelVersion:
        async with self._changing:
            model = await _ask(change)
            await self._serve(model)
            return model

    async def _serve(self, model: ModelVersion) -> None:
        """Push a model, then another that became champion meanwhile, whose push came before."""
        self._champion.changed(model)
        try:
            await anyio.to_thread.run_sync(self._push, model)
        finally:
            champion = None
            # What became of this push is what people want to know.
            with suppress(Unavailable):
                champion = await _ask(self._registry.champion)
            if champion is not None and champion.version != model.version:
                await self._serve(champion)


async def _ask(question: Callable[[], Answer]) -> Answer:
    try:
        return await anyio.to_thread.run_sync(question)
    except GyrusError:
        raise
    except Exception as error:
        from mlflow.exceptions import MlflowException  # the registry has imported it by now

        if not isinstance(error, MlflowException | OSError):
            raise
        log.warning("the model registry does not answer: %s", type(error).__name__)
        detail = "The model registry does not answer. Try again."
        raise Unavailable(detail, retry_after=5) from error

"""The registry and what is served, seen from the gateway."""

from collections.abc import Callable
from typing import Protocol

import anyio
import anyio.to_thread

from frontend_api.models.champion import Champion
from gyrus.errors import NotFound
from gyrus.registry import ModelVersion

Push = Callable[[ModelVersion], None]
"""Makes the replicas serve a model; returns when they do."""


class Registry(Protocol):
    """What the gateway needs of `gyrus.registry.Registry`."""

    def versions(self) -> list[ModelVersion]:
        """All models, newest first."""

    def promote(self, version: int) -> ModelVersion:
        """Make a model the champion; raises `NotFound`."""

    def rollback(self) -> ModelVersion:
        """Make the champion before this one the champion; raises `Conflict`."""


class ModelService:
    """Lists models and changes the champion, one change at a time."""

    def __init__(self, registry: Registry, push: Push) -> None:
        self._registry = registry
        self._push = push
        self._changing = anyio.Lock()
        self._champion = Champion(self._read_champion)

    async def versions(self) -> list[ModelVersion]:
        """All models, newest first."""
        return await anyio.to_thread.run_sync(self._registry.versions)

    async def get(self, version: int) -> ModelVersion:
        """One model; raises `NotFound`."""
        for model in await self.versions():
            if model.version == version:
                return model
        raise NotFound(f"There is no model version {version}.")

    async def champion(self) -> ModelVersion | None:
        """The champion, as of a few seconds ago; raises `Unavailable` while it is not known."""
        return await self._champion.get()

    async def promote(self, version: int) -> ModelVersion:
        """Make a model the champion, and have it served.

        Raises:
            NotFound: there is no such version.
            Unavailable: it is champion, but the replicas could not be told yet.
        """
        return await self._change(lambda: self._registry.promote(version))

    async def rollback(self) -> ModelVersion:
        """Go back to the champion before; raises `Conflict` if there was none."""
        return await self._change(self._registry.rollback)

    async def _read_champion(self) -> ModelVersion | None:
        # Not by `Registry.champion`, which brings the bundle to this machine.
        return next((model for model in await self.versions() if model.champion), None)

    async def _change(self, change: Callable[[], ModelVersion]) -> ModelVersion:
        async with self._changing:
            model = await anyio.to_thread.run_sync(change)
            self._champion.changed(model)
            await anyio.to_thread.run_sync(self._push, model)
            return model

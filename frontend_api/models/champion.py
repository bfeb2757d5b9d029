"""Remembers the champion: readiness is asked often and must be quick, the registry is slow."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from gyrus.errors import Unavailable
from gyrus.registry import ModelVersion

log = logging.getLogger("gyrus.gateway")

FRESH_S = 5.0
"""After this long the champion is read again, in the background."""

PATIENCE_S = 2.0
"""How long the very first answer is waited for: it imports MLflow."""


class Champion:
    """The champion as of a few seconds ago, read by one reader at a time."""

    def __init__(self, read: Callable[[], Awaitable[ModelVersion | None]]) -> None:
        self._read = read
        self._model: ModelVersion | None = None
        self.known = False
        """Whether the registry ever answered: if not, there may well be a champion."""
        self._read_at: float | None = None
        self._changes = 0
        self._reading: asyncio.Task[None] | None = None

    async def get(self) -> ModelVersion | None:
        """The champion; none, too, while it is not `known` because the registry fails.

        Raises:
            Unavailable: the registry has not answered yet.
        """
        self.refresh()
        if self._read_at is None and self._reading is not None:
            await asyncio.wait({self._reading}, timeout=PATIENCE_S)
        if self._read_at is None:
            raise Unavailable("Reading the model registry.", retry_after=1)
        return self._model

    def refresh(self) -> None:
        """Begin to read the champion, unless it was read just now or is being read."""
        fresh = self._read_at is not None and time.monotonic() - self._read_at <= FRESH_S
        if not fresh and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(self._refresh())

    def changed(self, model: ModelVersion) -> None:
        """Another model is champion now."""
        self._changes += 1
        self._model = model
        self.known = True
        self._read_at = time.monotonic()

    async def _refresh(self) -> None:
        changes, known = self._changes, True
        try:
            model = await self._read()
        except Exception as error:  # whatever MLflow raises: the gateway can do without it
            log.warning("the model registry does not answer: %s", type(error).__name__)
            model, known = self._model, self.known
        if changes == self._changes:
            self._model, self.known = model, known
            self._read_at = time.monotonic()

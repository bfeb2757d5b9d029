"""The model that a replica serves, and how another takes its place."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pydantic import ValidationError

from gyrus.errors import GyrusError, InvalidBundle, NoModel, Unavailable
from serve_app.inference import Model, ModelConfig

logger = logging.getLogger("ray.serve")


class Champions(Protocol):
    """What knows the champion: `serve_app.champion.Mlflow`, or a test's."""

    def champion(self) -> ModelConfig | None:
        """The champion, or None; raises `Unavailable`."""


@dataclass(frozen=True)
class Pauses:
    """Seconds: between looks, after a failure, after a refusal, of a start without an answer.

    A refused model is tried again: its bundle may have been restored, or memory be free by then;
    who promotes it once more waits for that. A start waits for longer than MLflow takes to start,
    as both may be upgraded at the same time: a replica that is ready without a model takes requests
    from those that have one.
    """

    look: float = 15.0
    retry: float = 3.0
    refused: float = 60.0
    start: float = 180.0


class Served:
    """The model that is served. It may change at any time: hold on to what `current` returned.

    `load` makes a model ready, `champions` is asked for the champion where no model is named.
    """

    def __init__(
        self,
        load: Callable[[ModelConfig], Model],
        champions: Champions | None,
        pauses: Pauses | None = None,
    ) -> None:
        self._load = load
        self._champions = champions
        self._pauses = pauses or Pauses()
        self._model: Model | None = None
        self._missing = ""
        self._refused: dict[str, str] | None = None
        self._refused_at = 0.0
        self._changing = asyncio.Lock()
        self._following: asyncio.Task[None] | None = None

    def current(self) -> Model:
        """The model.

        Raises:
            NoModel: there is none, because none is champion.
            Unavailable: there is none, because it could not be had yet.
        """
        if self._model is not None:
            return self._model
        if self._missing:
            raise Unavailable(self._missing, retry_after=5)
        raise NoModel("No model is being served yet. Train one and promote it.")

    def describe(self) -> dict[str, Any]:
        """The model, and the last one that was refused, with the reason and how long ago it was."""
        model, refused = self._model, self._refused
        ago = time.monotonic() - self._refused_at
        return {
            "model": model.describe() if model else None,
            "refused": {**refused, "seconds_ago": ago} if refused else None,
        }

    async def change(self, user_config: dict[str, Any]) -> None:
        """Serve the model that `user_config` names. If it is empty: the champion.

        A model is loaded beside the one that serves, and takes its place when it is warm. One that
        cannot be loaded leaves the old one in place: an outage would help nobody, and `describe`
        tells which one is served.

        A model on this machine is there when this returns. One of a registry may come later: what
        serves must not wait for it, since Ray calls a replica busy that long; and a start ends
        without a model, healthy, when none is champion or the registry does not answer. It is
        tried until it is there, and as long as none is named, the champion is followed; when there
        is none any more, the last one stays. Without a registry empty means no model.

        Raises:
            InvalidBundle: a model on this machine cannot be loaded, and there is no old one.
        """
        async with self._changing:
            if self._following is not None:
                self._following.cancel()
            self._refused = None
            config: ModelConfig | None = None
            try:
                config = ModelConfig.model_validate(user_config) if user_config else None
                if config is not None and config.is_local:
                    await self._take(config)
            except (GyrusError, ValidationError) as error:
                if self._model is None:
                    raise InvalidBundle(f"The model was refused: {error}") from error
                self._refuse(str(user_config.get("digest")), error)
                if config is None:
                    return
            if config is None and self._champions is None:
                self._model, self._missing = None, ""
            elif config is None or not config.is_local or self._refused:
                looked = asyncio.Event()
                self._following = asyncio.create_task(self._follow(config, looked))
                if self._model is None:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(looked.wait(), self._pauses.start)

    async def _follow(self, config: ModelConfig | None, looked: asyncio.Event) -> None:
        """Serve what is named, until that serves; or else the champion, whichever it is."""
        while True:
            pause = self._pauses.look
            try:
                wanted = config
                if wanted is None and self._champions is not None:
                    wanted = await asyncio.to_thread(self._champions.champion)
                await self._try(wanted)
                looked.set()
                if config is not None and self._refused is None:
                    return
            except Exception as error:  # whatever it was: the next time may be better
                logger.warning("The model could not be had yet: %s", error)
                self._missing = f"The model could not be had yet: {error}"
                pause = self._pauses.retry
            await asyncio.sleep(pause)

    async def _try(self, wanted: ModelConfig | None) -> None:
        if wanted is None:
            self._missing = ""
        elif not self._refused_just_now(wanted):
            try:
                await self._take(wanted)
            except InvalidBundle as error:
                self._refuse(wanted.digest, error)

    def _refused_just_now(self, wanted: ModelConfig) -> bool:
        if self._refused is None or self._refused["digest"] != wanted.digest:
            return False
        return time.monotonic() - self._refused_at < self._pauses.refused

    async def _take(self, config: ModelConfig) -> None:
        if self._model is None or self._model.config.digest != config.digest:
            self._model = await asyncio.to_thread(self._load, config)
            logger.info("Serving model %s, %s", config.version, config.digest[:12])
        elif self._model.config != config:
            self._model = replace(self._model, config=config)
        self._missing, self._refused = "", None

    def _refuse(self, digest: str, error: Exception) -> None:
        logger.error("A model was refused: %s", error, exc_info=error)
        self._refused = {"digest": digest, "detail": str(error)}
        self._refused_at = time.monotonic()
        self._missing = f"The model was refused: {error}"

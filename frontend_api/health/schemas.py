"""Bodies of the health endpoints."""

from typing import Literal

from pydantic import BaseModel, Field

from gyrus.launch.status import Status


class Live(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class ChampionOut(BaseModel):
    """The model that is served. `synthetic`: it was trained on generated images only."""

    version: int
    architecture: str
    synthetic: bool


class Ready(Status):
    """Whether predictions can be made; a missing model does not make the gateway unready.

    `unavailable`: it has started, but something that it needs does not answer. `model_known` is
    false while the registry fails, so that `model` says nothing.
    """

    status: Literal["ready", "starting", "unavailable"]
    model: ChampionOut | None
    model_known: bool
    upload_limit: int = Field(description="The most bytes of an upload.")

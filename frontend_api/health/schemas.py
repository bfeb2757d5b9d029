"""Bodies of the health endpoints."""

from typing import Literal

from pydantic import BaseModel

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
    """Whether predictions can be made; a missing model does not make the gateway unready."""

    status: Literal["ready", "starting"]
    model: ChampionOut | None

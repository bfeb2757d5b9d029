"""Bodies of the health endpoints."""

from typing import Literal

from pydantic import BaseModel

from gyrus.progress import Progress

Stage = Literal["starting", "generating", "training", "deploying", "ready", "failed"]


class Live(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Startup(BaseModel):
    """What `gyrus up` is doing, as its status file tells."""

    stage: Stage
    message: str = ""
    progress: Progress | None = None


class ChampionOut(BaseModel):
    """The model that is served. `synthetic`: it was trained on generated images only."""

    version: int
    architecture: str
    synthetic: bool


class Ready(Startup):
    """Whether predictions can be made; a missing model does not make the gateway unready."""

    status: Literal["ready", "starting"]
    model: ChampionOut | None

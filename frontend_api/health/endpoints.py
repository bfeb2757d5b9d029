"""Liveness and readiness, open to everyone."""

from fastapi import APIRouter, Response

from frontend_api.dependencies import Gateway
from frontend_api.health.schemas import Live, Ready

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> Live:
    """Whether the process answers."""
    return Live()


@router.get(
    "/ready", responses={503: {"model": Ready, "description": "Not yet: what is still done"}}
)
async def ready(gateway: Gateway, response: Response) -> Ready:
    """Whether Gyrus has started, and which model is champion."""
    answer = await gateway.health.ready()
    if answer.status != "ready":
        response.status_code = 503
    return answer

"""The registered models. Everyone who is signed in may look; an administrator may change."""

from typing import Annotated

from fastapi import APIRouter, Path

from frontend_api.dependencies import Admin, CurrentUser, Gateway
from frontend_api.models.schemas import ModelOut, ModelPage
from frontend_api.problems import documented
from gyrus.errors import (
    Conflict,
    Forbidden,
    InputError,
    InvalidBundle,
    NotFound,
    Unauthorized,
    Unavailable,
)

router = APIRouter(prefix="/v1/models", tags=["models"])

Version = Annotated[int, Path(ge=1)]


@router.get("", responses=documented(Unauthorized, Unavailable))
async def models(_user: CurrentUser, gateway: Gateway) -> ModelPage:
    """All models, newest first."""
    found = await gateway.models.versions()
    return ModelPage(items=[ModelOut.of(model) for model in found], next_cursor=None)


@router.post(
    "/rollback",
    responses=documented(Unauthorized, Forbidden, Conflict, InvalidBundle, Unavailable),
)
async def rollback(_admin: Admin, gateway: Gateway) -> ModelOut:
    """Go back to the champion before this one."""
    return ModelOut.of(await gateway.models.rollback())


@router.get("/{version}", responses=documented(InputError, Unauthorized, NotFound, Unavailable))
async def model(_user: CurrentUser, gateway: Gateway, version: Version) -> ModelOut:
    """One model."""
    return ModelOut.of(await gateway.models.get(version))


@router.post(
    "/{version}/promote",
    responses=documented(InputError, Unauthorized, Forbidden, NotFound, InvalidBundle, Unavailable),
)
async def promote(_admin: Admin, gateway: Gateway, version: Version) -> ModelOut:
    """Make a model the champion: it is registered as such, then the replicas are told."""
    return ModelOut.of(await gateway.models.promote(version))

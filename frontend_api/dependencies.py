"""What endpoints are given: the gateway's parts, and who is asking."""

from dataclasses import dataclass
from typing import Annotated, TypedDict, cast

from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordBearer

from frontend_api.auth.service import AuthService
from frontend_api.auth.tokens import AccessTokens
from frontend_api.health.service import HealthService
from frontend_api.models.service import ModelService
from frontend_api.predictions.service import PredictionService
from frontend_api.trainings.service import TrainingService
from frontend_api.users.repository import User
from frontend_api.users.service import UserService
from gyrus.errors import Forbidden, Unauthorized


@dataclass(frozen=True)
class GatewayState:
    """The parts of a running gateway; made at start, closed at stop."""

    tokens: AccessTokens
    users: UserService
    auth: AuthService
    predictions: PredictionService
    models: ModelService
    trainings: TrainingService
    health: HealthService


class LifespanState(TypedDict):
    """What the application keeps for its requests."""

    gateway: GatewayState


def _gateway(request: Request) -> GatewayState:
    return cast(GatewayState, request.state.gateway)


Gateway = Annotated[GatewayState, Depends(_gateway)]


def _client_address(request: Request) -> str:
    return request.client.host if request.client else ""


ClientAddress = Annotated[str, Depends(_client_address)]
"""Whom failures to sign in are counted for."""

_bearer = OAuth2PasswordBearer("/v1/token", auto_error=False)


async def _current_user(gateway: Gateway, token: Annotated[str | None, Depends(_bearer)]) -> User:
    if not token:
        raise Unauthorized("Sign in, and send the access token as a bearer token.")
    user = await gateway.users.get(gateway.tokens.read(token))
    if user is None:
        raise Unauthorized("The account of this access token does not exist any more.")
    return user


CurrentUser = Annotated[User, Depends(_current_user)]


async def _admin(user: CurrentUser) -> User:
    if user.role != "admin":
        raise Forbidden("Only an administrator may do this.")
    return user


Admin = Annotated[User, Depends(_admin)]

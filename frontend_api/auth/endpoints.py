"""Sign in, refresh, sign out.

A browser says `X-Gyrus-Client: browser` and keeps its refresh token in a cookie that scripts cannot
read. A page of another origin can send neither that header nor, being SameSite, that cookie.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Cookie, Depends, Header, Request, Response
from fastapi.security import OAuth2PasswordRequestForm

from frontend_api.auth.schemas import RefreshIn, TokenOut
from frontend_api.auth.service import Grant
from frontend_api.dependencies import ClientAddress, Gateway, GatewayState
from frontend_api.problems import documented
from gyrus.errors import InputError, TooManyRequests, Unauthorized

router = APIRouter(prefix="/v1/token", tags=["account"])

COOKIE = "gyrus_refresh"
PATH = "/v1/token"

Client = Annotated[Literal["browser"] | None, Header(alias="X-Gyrus-Client")]
RefreshCookie = Annotated[str | None, Cookie(alias=COOKIE, max_length=128)]


@router.post("", responses=documented(InputError, Unauthorized, TooManyRequests))
async def sign_in(
    gateway: Gateway,
    request: Request,
    response: Response,
    address: ClientAddress,
    form: Annotated[OAuth2PasswordRequestForm, Depends()],
    client: Client = None,
) -> TokenOut:
    """Sign in with an address (`username`) and a password."""
    grant = await gateway.auth.sign_in(form.username, form.password, address)
    return _answer(gateway, request, response, grant, client)


@router.post("/refresh", responses=documented(InputError, Unauthorized))
async def refresh(
    gateway: Gateway,
    request: Request,
    response: Response,
    body: RefreshIn | None = None,
    client: Client = None,
    cookie: RefreshCookie = None,
) -> TokenOut:
    """Change a refresh token for new tokens; one that comes twice ends the whole sign-in."""
    token = _token(body, client, cookie)
    if not token:
        raise Unauthorized("There is no refresh token in the request. Sign in.")
    grant = await gateway.auth.refresh(token)
    return _answer(gateway, request, response, grant, client)


@router.post("/revoke", status_code=204, responses=documented(InputError))
async def revoke(
    gateway: Gateway,
    response: Response,
    body: RefreshIn | None = None,
    client: Client = None,
    cookie: RefreshCookie = None,
) -> None:
    """Sign out: the refresh token and all that it came from end here."""
    token = _token(body, client, cookie)
    if token:
        await gateway.auth.revoke(token)
    if client == "browser":
        response.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="strict")


def _token(body: RefreshIn | None, client: str | None, cookie: str | None) -> str | None:
    if body and body.refresh_token:
        return body.refresh_token
    return cookie if client == "browser" else None


def _answer(
    gateway: GatewayState, request: Request, response: Response, grant: Grant, client: str | None
) -> TokenOut:
    if client == "browser":
        response.set_cookie(
            COOKIE,
            grant.refresh,
            max_age=int(gateway.auth.refresh_lifetime.total_seconds()),
            path=PATH,
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
    return TokenOut(
        access_token=grant.access,
        refresh_token=None if client == "browser" else grant.refresh,
        expires_in=int(gateway.tokens.lifetime.total_seconds()),
    )

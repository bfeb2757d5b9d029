"""Every error as an RFC 9457 problem with the request's id, and as documentation in OpenAPI."""

import logging
from http import HTTPStatus
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gyrus.errors import (
    GyrusError,
    InputError,
    NotFound,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UploadTooLarge,
)

MEDIA_TYPE = "application/problem+json"

log = logging.getLogger("gyrus.gateway")


class FieldProblem(BaseModel):
    """What is wrong with one field of the request."""

    field: str
    message: str


class Problem(BaseModel):
    """An RFC 9457 problem. `type` is stable; `request_id` finds the request in the log."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[FieldProblem] | None = None


def response(error: GyrusError, scope: Scope, **extra: Any) -> JSONResponse:
    """The answer to an error."""
    return _response(error.problem() | extra, scope, _headers(error))


def documented(*errors: type[GyrusError]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an endpoint that can raise these errors."""
    documents: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        document = documents.setdefault(error.status, {"description": "", "content": CONTENT})
        line = f"{error.title} (`{error.type}`)"
        document["description"] = "; ".join(filter(None, [document["description"], line]))
    return documents


CONTENT: dict[str, Any] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
ANY: dict[int | str, dict[str, Any]] = {
    "default": {"description": "Any other problem", "content": CONTENT}
}


def install(app: FastAPI) -> None:
    """Answer every exception of `app` with a problem."""
    app.add_exception_handler(GyrusError, _gyrus)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OperationalError, _database)


class UnexpectedErrors:
    """Answers what nobody foresaw with a 500 that tells nothing, and logs it.

    A client that leaves in the middle of its upload is no error: it is counted as a 499.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except ClientDisconnect:
            await Response(status_code=499)(scope, receive, send)
        except Exception:
            if scope["type"] != "http" or started:
                raise
            log.exception("unexpected error request_id=%s", _request_id(scope))
            error = GyrusError("Something went wrong here. Give the request id to your operator.")
            await response(error, scope)(scope, receive, send)


async def _gyrus(request: Request, error: Exception) -> JSONResponse:
    return response(cast(GyrusError, error), request.scope)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    # The input itself is left out: it may be a password.
    errors = [
        {
            "field": ".".join(str(part) for part in found["loc"][1:]) or str(found["loc"][0]),
            "message": found["msg"],
        }
        for found in cast(RequestValidationError, error).errors()
    ]
    detail = "; ".join(f"{found['field']}: {found['message']}" for found in errors)
    return response(InputError(detail), request.scope, errors=errors)


async def _http(request: Request, exception: Exception) -> JSONResponse:
    error = cast(HTTPException, exception)
    known = {400: InputError, 413: UploadTooLarge}.get(error.status_code)
    if error.status_code == 404:
        return response(NotFound("There is nothing at this address."), request.scope)
    if known:
        return response(known(str(error.detail)), request.scope)
    phrase = HTTPStatus(error.status_code).phrase
    problem = {
        "type": f"urn:gyrus:problem:{phrase.lower().replace(' ', '-')}",
        "title": phrase,
        "status": error.status_code,
        "detail": str(error.detail),
    }
    return _response(problem, request.scope, dict(error.headers or {}))


async def _database(request: Request, error: Exception) -> JSONResponse:
    log.error("database request_id=%s: %s", _request_id(request.scope), type(error).__name__)
    unavailable = Unavailable("The database does not answer. Try again.", retry_after=5)
    return response(unavailable, request.scope)


def _response(problem: dict[str, Any], scope: Scope, headers: dict[str, str]) -> JSONResponse:
    body = problem | {"request_id": _request_id(scope)}
    return JSONResponse(body, body["status"], headers, media_type=MEDIA_TYPE)


def _headers(error: GyrusError) -> dict[str, str]:
    headers = {}
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after is not None or isinstance(error, TooManyRequests):
        headers["Retry-After"] = str(error.retry_after or 1)
    return headers


def _request_id(scope: Scope) -> str:
    return str(scope.get("state", {}).get("request_id", ""))

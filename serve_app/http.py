"""HTTP at a replica: who may ask, how much is read, how an error is told."""

import hmac
from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gyrus.errors import GyrusError, Unauthorized, UploadTooLarge


def authorize(request: Request, secrets: Iterable[str]) -> None:
    """Let pass who knows one of the bearer secrets.

    Raises:
        Unauthorized: it is missing or another one.
    """
    given = request.headers.get("authorization", "").encode("latin-1")
    # All are compared, so that the time tells nothing of which it was.
    if not any([hmac.compare_digest(given, f"Bearer {one}".encode()) for one in secrets]):
        raise Unauthorized("Send the bearer secret that the gateway shares with the replicas.")


async def read_body(request: Request, limit: int) -> bytes:
    """Read a body of at most `limit` bytes.

    Raises:
        UploadTooLarge: it is longer. Where the header says so, nothing is read; else no more than
            the limit and one piece.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise _too_large(limit)
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def problem(error: GyrusError) -> Response:
    """The error as problem+json (RFC 9457)."""
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else {}
    if error.status == Unauthorized.status:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(
        error.problem(),
        status_code=error.status,
        headers=headers,
        media_type="application/problem+json",
    )


def _too_large(limit: int) -> UploadTooLarge:
    return UploadTooLarge(
        f"The upload is larger than {limit / 2**20:.0f} MB. Send a smaller or compressed copy."
    )

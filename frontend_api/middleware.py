"""Pure ASGI middlewares: request id, security headers, access log with metrics, body limit."""

import logging
import re
import time
from contextlib import suppress

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from frontend_api import problems
from frontend_api.database import new_id
from frontend_api.metrics import Metrics
from gyrus.errors import UploadTooLarge

access = logging.getLogger("gyrus.access")

SECURITY = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class RequestId:
    """Gives each request an id, or keeps a well-formed one that came, and answers it back."""

    FORM = re.compile(r"[A-Za-z0-9_-]{8,64}")

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        given = Headers(scope=scope).get("X-Request-ID", "")
        request_id = given if self.FORM.fullmatch(given) else new_id()
        scope.setdefault("state", {})["request_id"] = request_id

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        await self.app(scope, receive, add)


class SecurityHeaders:
    """Adds the security headers to each answer, and keeps the API's answers out of caches."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        cache = "no-store" if scope["path"].startswith("/v1/") else "no-cache"

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SECURITY)
                headers.setdefault("Cache-Control", cache)
            await send(message)

        await self.app(scope, receive, add)


class Observe:
    """Counts and logs each request by its route's template: no address, no query, no ids."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        status = 500
        start = time.perf_counter()

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            seconds = time.perf_counter() - start
            method = scope["method"] if scope["method"] in METHODS else "other"
            route = getattr(scope.get("route"), "path", "unmatched")
            self.metrics.request(method, route, status, seconds)
            request_id = scope["state"]["request_id"]
            access.info("%s %s %d %.1fms %s", method, route, status, seconds * 1e3, request_id)


METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class BodyLimit:
    """Refuses a body that is too large: by its Content-Length unread, else while it streams.

    `upload` bytes are the limit where images are sent, `OTHER` everywhere else: what is parsed as
    JSON takes many times its size in memory.
    """

    OTHER = 64 * 1024

    LINGER_S = 2.0
    """How long a refused body is thrown away, so that the client can read the answer."""

    def __init__(self, app: ASGIApp, upload: int) -> None:
        self.app = app
        self.upload = upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        limit, detail = self.OTHER, f"The body is larger than {self.OTHER // 1024} KiB."
        if (scope["method"], scope["path"]) == ("POST", "/v1/predictions"):
            limit = self.upload
            detail = f"The upload is larger than {limit // 1_000_000} MB."
            detail += " Send a smaller file, one slice."
        headers = Headers(scope=scope)
        length = headers.get("Content-Length", "")
        if length.isdecimal() and int(length) > limit:
            return await self._refuse(detail, scope, receive, send, waits="Expect" in headers)
        seen = 0

        async def count() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise HTTPException(413, detail)
            return message

        await self.app(scope, count, send)

    async def _refuse(
        self, detail: str, scope: Scope, receive: Receive, send: Send, *, waits: bool
    ) -> None:
        answer = problems.response(UploadTooLarge(detail), scope)
        headers = [*answer.raw_headers, (b"connection", b"close")]
        start = {"type": "http.response.start", "status": answer.status_code, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": bytes(answer.body), "more_body": True})
        # Closing a socket with unread bytes resets it, and the client would never see the answer.
        # A client that waits for "100 Continue" has sent nothing.
        if not waits:
            with anyio.move_on_after(self.LINGER_S), suppress(Exception):
                while (await receive()).get("more_body", False):
                    pass
        await send({"type": "http.response.body", "body": b""})

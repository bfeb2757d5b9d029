"""A small REST client: what the command line asks the gateway and the replicas."""

from types import TracebackType
from typing import Any, Self

import httpx

from gyrus.errors import GyrusError, Unauthorized, Unavailable

TIMEOUT_S = 60.0


class _Client:
    """One connection to `url`, whose problems (RFC 9457) become the errors they were."""

    def __init__(
        self,
        url: str,
        *,
        secret: str = "",
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        self._http = httpx.Client(
            base_url=url, headers=headers, timeout=TIMEOUT_S, trust_env=False, transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def _send(self, method: str, path: str, **given: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **given)
        except httpx.TransportError as error:
            raise Unavailable(f"Gyrus does not answer at {self._http.base_url}.") from error
        if response.is_success:
            return response
        raise error_of(response)


class GatewayClient(_Client):
    """The gateway's API."""

    def is_alive(self) -> bool:
        """Whether the gateway answers."""
        try:
            return self._http.get("/health/live").is_success
        except httpx.TransportError:
            return False

    def signs_in(self, email: str, password: str) -> bool:
        """Whether the gateway knows this user by this password.

        Raises:
            GyrusError: the gateway does not answer, or says something else.
        """
        form = {"username": email, "password": password}
        try:
            self._send("POST", "/v1/token", data=form)
        except Unauthorized:
            return False
        return True

    def add_user(self, email: str, password: str) -> dict[str, Any]:
        """Register a user, who has agreed to the terms.

        Raises:
            GyrusError: the gateway refused, or does not answer.
        """
        body = {"email": email, "password": password, "consent": True}
        return dict(self._send("POST", "/v1/users", json=body).json())


class ReplicaClient(_Client):
    """The replicas' own contract, for who holds their secret."""

    def classify(self, image: bytes) -> dict[str, Any]:
        """Classify one encoded image.

        Inference is pure: a call that a lost replica dropped is made once more.

        Raises:
            GyrusError: the image cannot be used, no model is loaded, or no replica answers.
        """
        try:
            response = self._send("POST", "/classify", content=image)
        except Unavailable:
            response = self._send("POST", "/classify", content=image)
        return dict(response.json())


def error_of(response: httpx.Response) -> GyrusError:
    """The error that a problem+json response is about."""
    try:
        problem = response.json()
        kind, detail = str(problem["type"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        return Unavailable(f"Gyrus answered with status {response.status_code}.")
    known = {one.type: one for one in _family(GyrusError)}
    return known.get(kind.rpartition(":")[2], GyrusError)(detail)


def _family(kind: type[GyrusError]) -> list[type[GyrusError]]:
    return [kind, *(one for child in kind.__subclasses__() for one in _family(child))]

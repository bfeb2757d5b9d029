"""Models into replicas: Ray Serve's declarative configuration, over its REST API."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import httpx

from gyrus.errors import Unavailable
from gyrus.launch.ports import LOOPBACK
from gyrus.launch.replicas import APPLICATIONS, confirm, set_model, user_config
from gyrus.registry import ModelVersion

PATH = "/api/serve/applications/"
FAILED = {"DEPLOY_FAILED", "UNHEALTHY"}
POLL_S = 0.3
WILDCARDS = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not listened on


def configuration(model: ModelVersion | None, port: int) -> dict[str, Any]:
    """The whole Serve configuration of a machine that serves itself on loopback."""
    return {
        "proxy_location": "HeadOnly",
        "http_options": {"host": LOOPBACK, "port": port},
        "applications": [
            {
                "name": name,
                "route_prefix": f"/{name}",
                "import_path": f"serve_app.app:{name}",
                "deployments": [{"name": deployment, "user_config": user_config(model)}],
            }
            for name, deployment in APPLICATIONS.items()
        ],
    }


class ServeClient:
    """Ray Serve behind the dashboard at `api_url`, which may ask for a token.

    `secret` is the replicas' own; without it they are not asked which model they serve.
    """

    def __init__(
        self,
        api_url: str,
        token: str | None,
        *,
        secret: str = "",
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._secret = secret
        self._client = httpx.Client(
            base_url=api_url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=30,
            trust_env=False,
            transport=transport,
        )

    def __enter__(self) -> Self:
        """Open nothing yet: the first call does."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self._client.close()

    def deploy(
        self,
        model: ModelVersion | None,
        port: int,
        *,
        check: Callable[[], None] = lambda: None,
        seconds: float = 180.0,
    ) -> None:
        """Start both applications on `port` of loopback, and wait until they run.

        `check` is called while waiting, and may raise.

        Raises:
            Unavailable: they do not run after `seconds`, or cannot.
        """
        self._put(configuration(model, port))
        self._wait(check, seconds)

    def push(self, model: ModelVersion | None, *, seconds: float = 120.0) -> None:
        """Give running replicas another model, and wait until they have it.

        Everything else of Serve's configuration stays as it is.

        Raises:
            Unavailable: Serve does not answer, or a replica refused the model.
        """
        details = self._get()
        applications = [one["deployed_app_config"] for one in details["applications"].values()]
        paths = set_model([one for one in applications if one], model)
        kept = {key: details[key] for key in ("proxy_location", "http_options") if details.get(key)}
        began = time.monotonic()
        self._put({**kept, "applications": [one for one in applications if one]})
        self._wait(lambda: None, seconds)
        if self._secret:
            http = kept.get("http_options", {})
            host, port = http.get("host", LOOPBACK), http.get("port", 8000)
            if host in WILDCARDS:
                host = self._client.base_url.host
            for path in paths:
                url = httpx.URL(scheme="http", host=host, port=port, path=path)
                confirm(self._client, url, self._secret, model, seconds, since=began)

    def _get(self) -> Any:
        return self._send("GET", None).json()

    def _put(self, config: dict[str, Any]) -> None:
        self._send("PUT", config)

    def _send(self, method: str, config: dict[str, Any] | None) -> httpx.Response:
        try:
            response = self._client.request(method, PATH, json=config)
        except httpx.TransportError as error:
            raise Unavailable("Ray Serve does not answer.") from error
        if not response.is_success:
            raise Unavailable(
                f"Ray Serve refused a request ({response.status_code}): {_last_line(response.text)}"
            )
        return response

    def _wait(self, check: Callable[[], None], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        states: dict[str, str] = {}
        while time.monotonic() < deadline:
            check()
            found = self._get()["applications"]
            states = {name: found[name]["status"] for name in APPLICATIONS if name in found}
            for name, state in states.items():
                if state in FAILED:
                    reason = _last_line(_reason(found[name]))
                    raise Unavailable(f"The application {name} does not run: {reason}")
            if states and all(state == "RUNNING" for state in states.values()):
                return
            time.sleep(POLL_S)
        seen = ", ".join(f"{name} is {state}" for name, state in states.items()) or "none is there"
        raise Unavailable(f"The applications do not run after {seconds:.0f} seconds: {seen}.")


def _reason(application: dict[str, Any]) -> str:
    deployments = application.get("deployments", {}).values()
    messages = [one.get("message", "") for one in deployments if one.get("status") != "HEALTHY"]
    return next((one for one in messages if one), "") or application.get("message", "")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason was given"

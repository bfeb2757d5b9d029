"""A clinician: signs in once, uploads slices, looks at the answers, and pages the history."""

import secrets
import time
from functools import cache
from itertools import count
from typing import Any

from locust import HttpUser, between, task

from gyrus.imaging import encode_png
from gyrus.phantom import CLASSES, draw

UPLOAD = "POST /v1/predictions"
"""The name under which locust counts uploads, which the threshold of latency is about."""

SLICES_A_CLASS = 4
PAGE = 5
RENEW_S = 60
"""An access token is renewed this many seconds before it ends."""

_turns = count()


@cache
def slices() -> list[bytes]:
    """Generated slices of every class, as PNG; the same ones in every run."""
    return [
        encode_png(draw(label, seed=seed)[0]) for seed in range(SLICES_A_CLASS) for label in CLASSES
    ]


class Clinician(HttpUser):
    """One signed-in person, with an account of their own."""

    wait_time = between(0.5, 2.0)

    def on_start(self) -> None:
        """Register, and sign in once."""
        email = f"load-{secrets.token_hex(8)}@example.com"
        password = secrets.token_urlsafe(16)
        account = {"email": email, "password": password, "consent": True}
        self.client.post("/v1/users", json=account).raise_for_status()
        form = {"username": email, "password": password}
        self._keep(self.client.post("/v1/token", data=form))

    @task(4)
    def upload_and_look(self) -> None:
        """Upload one slice, then look at it and at where the model looked."""
        self._renew()
        picture = slices()[next(_turns) % len(slices())]
        response = self.client.post(
            "/v1/predictions?explain=true",
            files={"file": ("slice.png", picture, "image/png")},
            name=UPLOAD,
        )
        if not response.ok:
            return
        links = response.json()["links"]
        self.client.get(links["image"], name="GET image.png")
        self.client.get(links["heatmap"], name="GET heatmap.png")

    @task(1)
    def page_the_history(self) -> None:
        """Go through the history, newest first, up to its third page."""
        self._renew()
        query: dict[str, Any] = {"limit": PAGE}
        for _ in range(3):
            response = self.client.get("/v1/predictions", params=query, name="GET /v1/predictions")
            if not response.ok or not (cursor := response.json()["next_cursor"]):
                return
            query["cursor"] = cursor

    def _renew(self) -> None:
        if time.monotonic() > self._ends - RENEW_S:
            token = {"refresh_token": self._refresh_token}
            self._keep(self.client.post("/v1/token/refresh", json=token))

    def _keep(self, response: Any) -> None:
        response.raise_for_status()
        tokens = response.json()
        self.client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        self._refresh_token: str = tokens["refresh_token"]
        self._ends: float = time.monotonic() + tokens["expires_in"]

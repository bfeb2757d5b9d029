"""A steady load through the gateway, and what became of each request: `python load.py` in a pod.

Uploads begin at a fixed rate, whether earlier ones were answered or not, until SIGTERM and at least
for SECONDS. None is tried again. It then reads the history, and prints all that it saw as JSON.
"""

import asyncio
import json
import os
import secrets
import signal
import sys
import time
from typing import Any

import httpx

from gyrus.imaging import encode_png
from gyrus.phantom import draw

LABELS = ("glioma", "meningioma", "pituitary", "notumor")


async def run(url: str, rate: float, seconds: float) -> dict[str, Any]:
    """Upload at `rate` a second for `seconds` or longer."""
    images = [encode_png(draw(label, seed=seed)[0]) for label in LABELS for seed in range(3)]
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    answers: list[dict[str, Any]] = []
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as http:
        await sign_in(http)
        print("started", flush=True)
        start = time.monotonic()

        async def upload(number: int) -> None:
            image = {"file": ("slice.png", images[number % len(images)])}
            began = time.monotonic()
            answer: dict[str, Any] = {"at": began - start, "id": None, "version": None}
            try:
                response = await http.post("/v1/predictions?explain=true", files=image)
                answer["status"] = str(response.status_code)
                answer["retry_after"] = response.headers.get("Retry-After")
                if response.status_code == 201:
                    body = response.json()
                    answer |= {"id": body["id"], "version": body["model"]["version"]}
                else:
                    answer["detail"] = response.text[:300]
            except httpx.TransportError as error:
                answer["status"] = type(error).__name__
            answers.append(answer | {"seconds": time.monotonic() - began})

        async with asyncio.TaskGroup() as tasks:
            number = 0
            while not ended.is_set() or time.monotonic() - start < seconds:
                await asyncio.sleep(start + number / rate - time.monotonic())
                tasks.create_task(upload(number))
                number += 1
        return {"rate": rate, "answers": answers, "history": await history(http)}


async def sign_in(http: httpx.AsyncClient) -> None:
    account = {"email": f"load-{secrets.token_hex(6)}@example.org", "password": secrets.token_hex()}
    (await http.post("/v1/users", json={**account, "consent": True})).raise_for_status()
    form = {"username": account["email"], "password": account["password"]}
    token = (await http.post("/v1/token", data=form)).raise_for_status().json()["access_token"]
    http.headers["Authorization"] = f"Bearer {token}"


async def history(http: httpx.AsyncClient) -> list[str]:
    """The ids of all predictions that the gateway keeps."""
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await http.get("/v1/predictions", params={"limit": 100, **cursor})).json()
        found += [one["id"] for one in page["items"]]
        if not page["next_cursor"]:
            return found
        cursor = {"cursor": page["next_cursor"]}


if __name__ == "__main__":
    asked = (float(os.environ[name]) for name in ("RATE", "SECONDS"))
    json.dump(asyncio.run(run(os.environ["URL"], *asked)), sys.stdout)

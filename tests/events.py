"""A training's progress, as the API's event stream tells it."""

import json
from collections.abc import Iterator
from typing import Any

import httpx


def follow(client: httpx.Client, job: str) -> Iterator[dict[str, Any]]:
    """The events `progress` of a training job, as they come."""
    with client.stream("GET", f"/v1/training-jobs/{job}/events", timeout=600) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        name = ""
        for line in stream.iter_lines():
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data" and name == "progress":
                yield json.loads(value)

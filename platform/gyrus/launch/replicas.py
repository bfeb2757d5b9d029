"""What replicas are told to serve, and what they say that they serve."""

import time
from typing import Any

import httpx

from gyrus.errors import Unavailable
from gyrus.registry import ModelVersion

APPLICATIONS = {"classify": "Classify", "explain": "Explain"}
"""Our Serve applications, and the deployment in each that takes the model."""

ASK_S = 0.5
AGREEING = 8
"""So many answers in a row must name the model: each may come from another replica."""


def user_config(model: ModelVersion | None) -> dict[str, str | int]:
    """What a replica is told to serve; nothing when there is no champion."""
    if model is None:
        return {}
    return {"source": model.source, "digest": model.digest, "version": model.version}


def set_model(applications: list[dict[str, Any]], model: ModelVersion | None) -> list[str]:
    """Name a model in the applications of a Serve configuration, and change nothing else of them.

    Returns:
        The route prefixes of those that are ours.

    Raises:
        Unavailable: none is.
    """
    ours = [one for one in applications if one["name"] in APPLICATIONS]
    if not ours:
        raise Unavailable("Ray Serve runs no application of Gyrus yet. Try again soon.")
    for application in ours:
        wanted = APPLICATIONS[application["name"]]
        deployments = application.setdefault("deployments", [])
        deployment = next((one for one in deployments if one["name"] == wanted), None)
        if deployment is None:
            deployment = {"name": wanted}
            deployments.append(deployment)
        deployment["user_config"] = user_config(model)
    return [one["route_prefix"] for one in ours]


def confirm(
    client: httpx.Client,
    url: httpx.URL,
    secret: str,
    model: ModelVersion | None,
    seconds: float,
    *,
    since: float,
) -> None:
    """Ask the replicas at `url` until they serve a model.

    One that refuses it is healthy all the same, and one that still gets it serves the old one. A
    refusal counts from the moment `since` of the monotonic clock on: it may have been refused
    before, and is tried again.

    Raises:
        Unavailable: they refused it, or do not serve it after `seconds`.
    """
    digest = model.digest if model else None
    deadline = time.monotonic() + seconds
    agreed = 0
    while agreed < AGREEING:
        try:
            answer = client.get(url, headers={"Authorization": f"Bearer {secret}"})
            said = answer.json() if answer.is_success else None
            found = f"answered with {answer.status_code}"
        except httpx.TransportError:
            said, found = None, "do not answer"
        if said is not None:
            served, refused = said["model"], said["refused"]
            keeps = f"version {served['version']}" if served else "none"
            found = f"still serve {keeps}"
            if (served["digest"] if served else None) == digest:
                agreed += 1
                continue
            asked = time.monotonic() - since
            # Replicas of the version before this one do not tell when it was.
            if refused and refused["digest"] == digest and refused.get("seconds_ago", 0) <= asked:
                raise Unavailable(
                    f"The replicas of {url.path} refused the model and serve {keeps}: "
                    f"{refused['detail']}"
                )
        agreed = 0
        if time.monotonic() > deadline:
            raise Unavailable(f"The replicas of {url.path} {found} after {seconds:.0f} seconds.")
        time.sleep(ASK_S)

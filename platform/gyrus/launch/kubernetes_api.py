"""The Kubernetes API: how it is reached, and what it means when it refuses."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from lightkube import ApiError, Client, ConfigError
from lightkube.generic_resource import create_namespaced_resource
from lightkube.resources.core_v1 import PodLog

from gyrus.errors import Unavailable

RayJob = create_namespaced_resource("ray.io", "v1", "RayJob", "rayjobs")
RayService = create_namespaced_resource("ray.io", "v1", "RayService", "rayservices")

log = logging.getLogger("gyrus.launch")

LOG_TIMEOUT = httpx2.Timeout(5)
"""Kubernetes itself waits half a minute for a node that is lost."""


def connect() -> Client:
    """A client of the cluster that this runs in, or else of KUBECONFIG.

    Raises:
        Unavailable: there is neither.
    """
    try:
        return Client(timeout=httpx2.Timeout(30, connect=5))
    except ConfigError as error:
        raise Unavailable(f"No Kubernetes is known here: {error}") from error


def read_log(
    client: Client, pod: str, namespace: str, seconds: int | None, lines: int | None
) -> str:
    """What a pod wrote in the last `seconds`, or its last `lines`, as it wrote it.

    `Client.log` also ends lines at separators that stand within an event, and waits longer.

    Raises:
        httpx2.HTTPError: it cannot be read.
    """
    api = client._client
    asked = {"sinceSeconds": seconds, "tailLines": lines}
    request = api.prepare_request("get", PodLog, name=pod, namespace=namespace, params=asked)
    request.timeout = LOG_TIMEOUT
    answer = api.send(api.build_adapter_request(request))
    return str(answer.raise_for_status().text)


@contextmanager
def answering(what: str) -> Iterator[None]:
    """Within the block, Kubernetes that refuses `what` or does not answer is `Unavailable`."""
    try:
        yield
    except httpx2.HTTPStatusError as error:
        answer = error.response
        reason = f"{answer.status_code} {answer.reason_phrase}"
        if isinstance(error, ApiError) and error.status.message:
            reason += f": {error.status.message}"
        raise Unavailable(f"Kubernetes refused {what}: {reason.removesuffix('.')}.") from error
    # The last two are the client's, for answers that are not Kubernetes' own.
    except (httpx2.HTTPError, KeyError, ValueError) as error:
        if isinstance(error, KeyError) and not isinstance(error.__context__, httpx2.HTTPError):
            raise
        log.warning("asking Kubernetes %s", what, exc_info=error)
        raise Unavailable("Kubernetes does not answer. Try again.", retry_after=5) from error

"""The Kubernetes API: how it is reached, and what it means when it refuses."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from gyrus.errors import Unavailable

RAY = ("ray.io", "v1")
"""Group and version of KubeRay's resources."""

TIMEOUT_S = (5, 30)
"""To connect, and to read an answer."""


@dataclass(frozen=True)
class Apis:
    """The parts of the Kubernetes API that are used, as in `kubernetes.client`."""

    objects: Any
    core: Any

    @classmethod
    def connect(cls) -> Self:
        """Those of the cluster that this runs in, or else of KUBECONFIG.

        Raises:
            Unavailable: there is neither.
        """
        # Imported when it is needed: it takes a second.
        from kubernetes import client, config

        try:
            config.load_incluster_config()  # type: ignore[no-untyped-call]
        except config.ConfigException:
            try:
                config.load_kube_config()  # type: ignore[no-untyped-call]
            except config.ConfigException as error:
                raise Unavailable(f"No Kubernetes is known here: {error}") from error
        return cls(client.CustomObjectsApi(), client.CoreV1Api())


@contextmanager
def answering(what: str) -> Iterator[None]:
    """Within the block, Kubernetes that refuses `what` or does not answer is `Unavailable`."""
    from kubernetes.client.exceptions import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        raise Unavailable(f"Kubernetes refused {what}: {error.status} {error.reason}.") from error
    except HTTPError as error:
        raise Unavailable("Kubernetes does not answer. Try again.", retry_after=5) from error

"""Models into replicas on a cluster: the Serve configuration of a RayService.

KubeRay's operator applies a change of it to the running replicas in place.
"""

from typing import Any, Protocol

import httpx
import yaml

from gyrus.errors import Unavailable
from gyrus.launch.kubernetes_api import RAY, TIMEOUT_S, Apis, answering
from gyrus.launch.replicas import confirm, set_model
from gyrus.registry import ModelVersion

PLURAL = "rayservices"
CONFLICT = 409
TRIES = 5


class CustomObjects(Protocol):
    """What is needed of `kubernetes.client.CustomObjectsApi`."""

    def get_namespaced_custom_object(
        self,
        group: str,
        version: str,
        namespace: str,
        plural: str,
        name: str,
        *,
        _request_timeout: tuple[int, int],
    ) -> object:
        """The object; raises `ApiException`."""

    def patch_namespaced_custom_object(
        self,
        group: str,
        version: str,
        namespace: str,
        plural: str,
        name: str,
        body: dict[str, Any],
        *,
        _content_type: str,
        _request_timeout: tuple[int, int],
    ) -> object:
        """Change the object as `body` says; raises `ApiException`."""


class RayService:
    """The RayService `name`, whose replicas answer at `serve_url` to who knows `secret`.

    `api` is the Kubernetes API: of the cluster that this runs in, or else of KUBECONFIG.
    """

    def __init__(
        self,
        name: str,
        namespace: str,
        serve_url: str,
        secret: str,
        *,
        api: CustomObjects | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._names = (*RAY, namespace, PLURAL, name)
        self._serve_url = serve_url
        self._secret = secret
        self._api = api
        self._transport = transport

    def push(self, model: ModelVersion, *, seconds: float = 180.0) -> None:
        """Have the replicas serve a model, and wait until they do.

        Everything else of the RayService stays as it is.

        Raises:
            Unavailable: Kubernetes does not answer or refuses, the replicas refused the model, or
                they do not serve it after `seconds`.
        """
        paths = self._patch(self._api or Apis.connect().objects, model)
        with httpx.Client(
            base_url=self._serve_url, timeout=10, trust_env=False, transport=self._transport
        ) as client:
            for path in paths:
                confirm(client, httpx.URL(path), self._secret, model, seconds)

    def _patch(self, api: CustomObjects, model: ModelVersion) -> list[str]:
        """Name the model in the Serve configuration; returns the applications' paths."""
        from kubernetes.client.exceptions import ApiException

        what = f"the RayService {self._names[-1]} in namespace {self._names[2]}"
        with answering(f"to change {what}"):
            for _ in range(TRIES):
                service: Any = api.get_namespaced_custom_object(
                    *self._names, _request_timeout=TIMEOUT_S
                )
                config = yaml.safe_load(service["spec"].get("serveConfigV2") or "{}")
                paths = set_model(config.get("applications", []), model)
                change = {
                    # Someone may change it at the same time: then this one is refused.
                    "metadata": {"resourceVersion": service["metadata"]["resourceVersion"]},
                    "spec": {"serveConfigV2": yaml.safe_dump(config, sort_keys=False)},
                }
                try:
                    api.patch_namespaced_custom_object(
                        *self._names,
                        change,
                        _content_type="application/merge-patch+json",
                        _request_timeout=TIMEOUT_S,
                    )
                    return paths
                except ApiException as error:
                    if error.status != CONFLICT:
                        raise
        raise Unavailable(f"Others keep changing {what}. Try again.")

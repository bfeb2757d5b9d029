"""Models into replicas on a cluster: the Serve configuration of a RayService.

KubeRay's operator applies a change of it to the running replicas in place.
"""

import time

import httpx
import httpx2
import yaml
from lightkube import Client
from lightkube.types import PatchType

from gyrus.errors import Unavailable
from gyrus.launch import kubernetes_api
from gyrus.launch.kubernetes_api import answering
from gyrus.launch.replicas import confirm, set_model
from gyrus.registry import ModelVersion

TRIES = 5


class RayService:
    """The RayService `name`, whose replicas answer at `serve_url` to who knows `secret`.

    `client` reaches the Kubernetes API.
    """

    def __init__(
        self,
        name: str,
        namespace: str,
        serve_url: str,
        secret: str,
        client: Client,
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._name = name
        self._namespace = namespace
        self._serve_url = serve_url
        self._secret = secret
        self._client = client
        self._transport = transport

    def push(self, model: ModelVersion, *, seconds: float = 180.0) -> None:
        """Have the replicas serve a model, and wait until they do.

        Everything else of the RayService stays as it is.

        Raises:
            Unavailable: Kubernetes does not answer or refuses, the replicas refused the model, or
                they do not serve it after `seconds`.
        """
        began = time.monotonic()
        paths = self._patch(model)
        with httpx.Client(
            base_url=self._serve_url, timeout=10, trust_env=False, transport=self._transport
        ) as client:
            for path in paths:
                confirm(client, httpx.URL(path), self._secret, model, seconds, since=began)

    def _patch(self, model: ModelVersion) -> list[str]:
        """Name the model in the Serve configuration; returns the applications' paths."""
        kind, name, namespace = kubernetes_api.RayService, self._name, self._namespace
        what = f"the RayService {name} in namespace {namespace}"
        with answering(f"to change {what}"):
            for _ in range(TRIES):
                service = self._client.get(kind, name, namespace=namespace)
                config = yaml.safe_load(service["spec"].get("serveConfigV2") or "{}")
                paths = set_model(config.get("applications", []), model)
                change = {
                    # Someone may change it at the same time: then this one is refused.
                    "metadata": {"resourceVersion": service["metadata"]["resourceVersion"]},
                    "spec": {"serveConfigV2": yaml.safe_dump(config, sort_keys=False)},
                }
                try:
                    self._client.patch(
                        kind, name, change, namespace=namespace, patch_type=PatchType.MERGE
                    )
                    return paths
                except httpx2.HTTPStatusError as error:
                    if error.response.status_code != httpx2.codes.CONFLICT:
                        raise
        raise Unavailable(f"Others keep changing {what}. Try again.")

"""A Kubernetes API made of one function, for tests without a cluster."""

from collections.abc import Callable

import httpx2
from lightkube import Client, KubeConfig
from lightkube.config.models import Cluster, User


def client_of(answer: Callable[[httpx2.Request], httpx2.Response]) -> Client:
    """A client whose requests `answer` answers."""
    config = KubeConfig.from_one(cluster=Cluster(server="http://cluster"), user=User(token="any"))
    return Client(config, transport=httpx2.MockTransport(answer))


def refusal(code: int, reason: str, message: str = "") -> httpx2.Response:
    """What Kubernetes answers when it does not do what was asked."""
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "metadata": {}}
    told = {"code": code, "reason": reason, "message": message or reason}
    return httpx2.Response(code, json=status | told)

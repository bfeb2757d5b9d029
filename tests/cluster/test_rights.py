"""What the gateway's account may do, and what it may not."""

import pytest

from tests.cluster.installed import Installed

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

ACCOUNT = "system:serviceaccount:gyrus-test:gyrus-gateway"

MAY = [
    ("get", "rayservices.ray.io/gyrus", "gyrus-test"),
    ("patch", "rayservices.ray.io/gyrus", "gyrus-test"),
    ("create", "rayjobs.ray.io", "gyrus-test-training"),
    ("list", "rayjobs.ray.io", "gyrus-test-training"),
    ("delete", "rayjobs.ray.io", "gyrus-test-training"),
    ("list", "pods", "gyrus-test-training"),
    ("get", "pods --subresource=log", "gyrus-test-training"),
]
MAY_NOT = [
    ("patch", "rayservices.ray.io/other", "gyrus-test"),
    ("get", "secrets", "gyrus-test"),
    ("create", "pods", "gyrus-test"),
    ("create", "rayjobs.ray.io", "gyrus-test"),
    ("get", "secrets", "gyrus-test-training"),
    ("create", "pods", "gyrus-test-training"),
    ("get", "pods", "gyrus-test-training"),
    ("create", "pods --subresource=exec", "gyrus-test-training"),
    ("list", "nodes", ""),
]


@pytest.mark.parametrize(("verb", "what", "namespace"), MAY)
def test_the_gateway_may(gyrus: Installed, verb: str, what: str, namespace: str) -> None:
    assert may(gyrus, verb, what, namespace)


@pytest.mark.parametrize(("verb", "what", "namespace"), MAY_NOT)
def test_the_gateway_may_not(gyrus: Installed, verb: str, what: str, namespace: str) -> None:
    assert not may(gyrus, verb, what, namespace)


def may(gyrus: Installed, verb: str, what: str, namespace: str) -> bool:
    """Whether Kubernetes lets the gateway's account do something."""
    where = ["-n", namespace] if namespace else []
    asked = ("auth", "can-i", verb, *what.split(), "--as", ACCOUNT, *where)
    answer = gyrus.cluster.kubectl(*asked, check=False).strip()
    assert answer in {"yes", "no"}
    return answer == "yes"

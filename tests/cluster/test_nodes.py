"""A node that is drained under a steady load: needs two nodes that pods may run on."""

import json
from collections.abc import Iterator

import pytest

from tests.cluster.installed import GATEWAY, HEAD, WORKER, Installed, assert_unharmed, until

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(1800)]


@pytest.fixture
def other_node(served: Installed) -> Iterator[str]:
    """A node with one gateway and one worker of Ray, without the head."""
    served.ready()
    nodes = json.loads(served.cluster.kubectl("get", "nodes", "-o", "json"))["items"]
    names = [one["metadata"]["name"] for one in nodes if not one["spec"].get("unschedulable")]
    [head] = served.pods(HEAD)
    others = [name for name in names if name != head["spec"]["nodeName"]]
    if not others:
        pytest.skip("the cluster has one node")
    full = [name for name in names if name != others[0]]
    try:
        served.cluster.kubectl("cordon", *full)
        for selector in (GATEWAY, WORKER):
            served.delete_pod(selector)
            until(lambda: others[0] in places(served, selector), 120)  # noqa: B023
        served.cluster.kubectl("uncordon", *full)
        served.ready()
        yield others[0]
    finally:
        served.cluster.kubectl("uncordon", *names)


def test_a_drained_node_fails_no_request(served: Installed, other_node: str) -> None:
    [head] = served.pods(HEAD)
    with served.load(rate=5, seconds=62, node=head["spec"]["nodeName"]) as load:
        options = ("--ignore-daemonsets", "--delete-emptydir-data", "--timeout=180s")
        served.cluster.kubectl("drain", other_node, *options)
        assert other_node not in places(served, GATEWAY) + places(served, WORKER)
        served.ready()
    assert_unharmed(load)


def places(gyrus: Installed, selector: str) -> list[str]:
    """The nodes of the pods of a selector."""
    return [one["spec"].get("nodeName", "") for one in gyrus.pods(selector)]

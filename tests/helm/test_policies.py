"""What no object of the chart may be, whatever the values."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.policies import POLICIES, pods

pytestmark = pytest.mark.helm


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.__name__)
def test_the_chart_holds(
    policy: Callable[[list[dict[str, Any]]], None], objects: list[dict[str, Any]]
) -> None:
    policy(objects)


def test_the_gateway_has_no_right_that_it_does_not_use(objects: list[dict[str, Any]]) -> None:
    roles = [one for one in objects if one["kind"] in {"Role", "ClusterRole"}]
    assert {one["kind"] for one in roles} == {"Role"}
    for one in roles:
        for rule in one["rules"]:
            assert "secrets" not in rule["resources"]
            assert "*" not in rule["resources"] + rule["verbs"] + rule["apiGroups"]
            if one["metadata"].get("namespace", "gyrus") == "gyrus":
                assert rule["resources"] == ["rayservices"]
                assert rule["resourceNames"] == ["gyrus"]


def test_the_pods_that_train_reach_mlflow(render: Callable[..., list[dict[str, Any]]]) -> None:
    objects = render("--set", "bootstrap.enabled=true")
    [policy] = [
        one
        for one in objects
        if (one["kind"], one["metadata"]["name"]) == ("NetworkPolicy", "gyrus-mlflow")
    ]
    [rule] = policy["spec"]["ingress"]
    here = {"kubernetes.io/metadata.name": "gyrus-training"}
    selectors = [
        one["podSelector"]["matchLabels"]
        for one in rule["from"]
        if one.get("namespaceSelector", {}).get("matchLabels") == here
    ]
    training = [one for one in objects if one["metadata"].get("namespace") == "gyrus-training"]
    found = list(pods(training))
    assert {name.split()[0] for name, _, _ in found} == {"Job", "RayJob"}
    for name, metadata, _ in found:
        assert any(one.items() <= metadata["labels"].items() for one in selectors), name

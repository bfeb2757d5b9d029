"""What no object of the chart may be, whatever the values."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.policies import POLICIES

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

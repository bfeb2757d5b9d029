"""What no object of the chart may be, whatever the values."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.policies import POLICIES


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.__name__)
def test_the_chart_holds(
    policy: Callable[[list[dict[str, Any]]], None], objects: list[dict[str, Any]]
) -> None:
    policy(objects)

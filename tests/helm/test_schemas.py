"""The chart's custom resources are what their definitions allow."""

from typing import Any

import jsonschema
import pytest

from tests.schemas import validate

pytestmark = pytest.mark.helm


def test_each_scenario_fits_the_definitions(objects: list[dict[str, Any]]) -> None:
    assert validate(objects)


@pytest.mark.parametrize(
    "spec", [{"entrypoint": "x", "entrypiont": "y"}, {"backoffLimit": "many"}], ids=str
)
def test_an_unknown_key_and_a_wrong_type_are_noticed(spec: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate([{"apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": {}, "spec": spec}])

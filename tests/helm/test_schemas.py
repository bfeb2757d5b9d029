"""The chart's objects are what the schemas of their kinds allow."""

from copy import deepcopy
from typing import Any

import jsonschema
import pytest
from lightkube import LoadResourceError

from tests.rendering import Objects, chart
from tests.schemas import validate

pytestmark = pytest.mark.helm


def test_each_scenario_fits_the_schemas(objects: Objects) -> None:
    validate(objects)


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    """An object of each kind that the chart makes."""
    return {one["kind"]: one for one in chart()}


POD = "spec.template.spec"


@pytest.mark.parametrize(
    ("kind", "path", "key", "value"),
    [
        ("Deployment", "spec", "replicas", "two"),
        ("Deployment", f"{POD}.containers.0", "readinesProbe", {}),
        ("Deployment", f"{POD}.containers.0.securityContext", "runAsUsr", 1),
        ("Deployment", f"{POD}.volumes.0", "emptyDri", {}),
        ("Deployment", f"{POD}.containers.0.env.0", "value", True),
        ("Deployment", "metadata.labels", "version", 1.0),
        ("Deployment", f"{POD}.containers.0", "ports", [{"name": "http"}]),
        ("NetworkPolicy", "spec", "policyType", ["Egress"]),
        ("RayService", "metadata", "lables", {}),
        ("RayJob", "metadata.labels", "version", 1),
        ("RayJob", "spec", "entrypiont", "y"),
        ("RayJob", "spec", "backoffLimit", "many"),
        ("RayJob", "spec.rayClusterSpec.workerGroupSpecs.0.template.spec", "nodeSelectr", {}),
    ],
)
def test_an_unknown_key_and_a_wrong_type_are_noticed(
    made: dict[str, Any], kind: str, path: str, key: str, value: object
) -> None:
    one = deepcopy(made[kind])
    validate([one])
    place = one
    for step in path.split("."):
        place = place[int(step) if step.isdecimal() else step]
    place[key] = value
    with pytest.raises(jsonschema.ValidationError):
        validate([one])


@pytest.mark.parametrize(
    ("version", "kind"),
    [("apps/v1", "Deploiment"), ("apps/v2", "Deployment"), ("ray.io/v1", "RayJop")],
)
def test_an_unknown_kind_is_noticed(version: str, kind: str) -> None:
    with pytest.raises(LoadResourceError):
        validate([{"apiVersion": version, "kind": kind, "metadata": {}}])

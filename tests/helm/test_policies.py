"""What no object of the chart may be, whatever the values."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.policies import POLICIES, pods
from tests.rendering import CHART, chart

pytestmark = pytest.mark.helm


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.__name__)
def test_the_chart_holds(
    policy: Callable[[list[dict[str, Any]]], None], objects: list[dict[str, Any]]
) -> None:
    policy(objects)


# Namespace, group, resource and name: all that may be done with them.
RIGHTS = {
    ("gyrus", "ray.io", "rayservices", "gyrus"): {"get", "patch"},
    ("gyrus-training", "ray.io", "rayjobs", "any"): {"create", "get", "list", "delete"},
    ("gyrus-training", "", "pods", "any"): {"list"},
    ("gyrus-training", "", "pods/log", "any"): {"get"},
}


def test_the_gateway_has_these_rights_and_no_others(objects: list[dict[str, Any]]) -> None:
    assert {one["kind"] for one in objects if "Role" in one["kind"]} == {"Role", "RoleBinding"}
    rights = {
        (one["metadata"].get("namespace", "gyrus"), group, resource, name): set(rule["verbs"])
        for one in objects
        if one["kind"] == "Role"
        for rule in one["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", ["any"])
    }
    assert rights == RIGHTS
    account = {"kind": "ServiceAccount", "name": "gyrus-gateway", "namespace": "gyrus"}
    for one in objects:
        if one["kind"] == "RoleBinding":
            assert (one["roleRef"]["kind"], one["subjects"]) == ("Role", [account])


def test_only_mlflow_and_training_go_outside_and_by_the_proxy(
    render: Callable[..., list[dict[str, Any]]],
) -> None:
    proxy = "http://proxy.internal.example:3128"
    within = "localhost,127.0.0.1,.svc,.cluster.local,$(KUBERNETES_SERVICE_HOST)"
    variables = {
        "HTTP_PROXY": proxy,
        "HTTPS_PROXY": proxy,
        "NO_PROXY": f"{within},10.0.0.0/8,.internal.example",
    }
    restricted = ["-f", str(CHART / "ci" / "restricted-values.yaml")]
    own = ["--set", "mlflow.enabled=true,mlflow.externalUri=", "--set", "bootstrap.enabled=true"]
    for arguments, users in ((own, {"mlflow", "training"}), ([], {"training"})):
        found = set()
        for name, metadata, spec in pods(render(*restricted, *arguments)):
            component = metadata["labels"]["app.kubernetes.io/component"]
            goes_out = component in users and "submitterPodTemplate" not in name
            for one in spec["containers"] + spec.get("initContainers", []):
                given = {
                    variable["name"]: variable["value"]
                    for variable in one.get("env", [])
                    if variable["name"] in variables
                }
                assert given == (variables if goes_out else {}), name
            found.add(component)
        assert users <= found


def test_an_upgrade_of_the_chart_restarts_the_gateway_only(
    render: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    newer = tmp_path / "gyrus"
    shutil.copytree(CHART, newer)
    about = newer / "Chart.yaml"
    text, versions = re.subn(r"(?m)^(version|appVersion): .*", r"\1: 99.0.0", about.read_text())
    assert versions == 2
    about.write_text(text)
    before, after = (
        {
            f"{one['kind']} {one['metadata']['name']}": one["spec"]
            for one in render("--set", "image.tag=dev", folder=folder)
            if one["kind"] in {"Deployment", "StatefulSet", "RayService"}
        }
        for folder in (CHART, newer)
    )
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"Deployment gyrus-gateway"}


def test_a_budget_of_rays_pods_says_how_many_stay(objects: list[dict[str, Any]]) -> None:
    # For `maxUnavailable` or a percentage Kubernetes asks for a scale, which a RayCluster has not.
    [service] = [one for one in objects if one["kind"] == "RayService"]
    [workers] = service["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    for one in objects:
        if (one["kind"], one["metadata"]["name"]) == ("PodDisruptionBudget", "gyrus-serving"):
            stay = one["spec"].get("minAvailable")
            assert isinstance(stay, int) and 0 < stay < workers["minReplicas"]


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


def test_secrets_that_the_chart_makes_belong_to_no_release() -> None:
    made = [one["metadata"]["annotations"] for one in chart() if one["kind"] == "Secret"]
    assert len(made) == 3
    # Else an upgrade, which does not render what is there already, would delete them.
    assert all(one["helm.sh/hook"] == "pre-install,pre-upgrade" for one in made)
    assert all("helm.sh/hook-delete-policy" not in one for one in made)

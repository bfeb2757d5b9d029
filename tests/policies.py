"""What no object for a cluster may be: those of the chart and those of `k8s/` alike."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from typing import Any


def pods(objects: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Name, metadata and spec of each pod that an object would make."""

    def search(name: str, value: Any) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
        if isinstance(value, dict):
            if "containers" in value.get("spec", {}):
                yield name, value.get("metadata", {}), value["spec"]
            for key, below in value.items():
                yield from search(f"{name}.{key}", below)
        if isinstance(value, list):
            for number, below in enumerate(value):
                yield from search(f"{name}.{number}", below)

    for one in objects:
        yield from search(f"{one['kind']} {one['metadata']['name']}", one)


def containers(objects: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, _, spec in pods(objects):
        for one in spec["containers"] + spec.get("initContainers", []):
            yield f"{name}: {one['name']}", one


def no_pod_runs_as_root(objects: list[dict[str, Any]]) -> None:
    for name, _, spec in pods(objects):
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["runAsUser"] > 0, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), name
        assert all("hostPath" not in one for one in spec.get("volumes", [])), name


def no_container_has_a_privilege_or_writes_to_its_root(objects: list[dict[str, Any]]) -> None:
    found = list(containers(objects))
    assert found
    for name, one in found:
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name


def each_container_says_what_it_needs_and_has_a_limit(objects: list[dict[str, Any]]) -> None:
    for name, one in containers(objects):
        assert one["resources"]["requests"].keys() >= {"cpu", "memory"}, name
        assert "memory" in one["resources"]["limits"], name


def images_are_pinned(objects: list[dict[str, Any]]) -> None:
    for name, one in containers(objects):
        tag = re.search(r":([\w.-]+)$", one["image"])
        assert tag and tag[1] != "latest", name


def only_the_gateway_and_rays_autoscaler_reach_the_kubernetes_api(
    objects: list[dict[str, Any]],
) -> None:
    for name, metadata, spec in pods(objects):
        component = metadata["labels"]["app.kubernetes.io/component"]
        if component == "gateway" or ("headGroupSpec" in name and component == "serving"):
            continue
        assert spec["automountServiceAccountToken"] is False, name


def no_secret_is_in_a_config_map_an_argument_or_an_environment(
    objects: list[dict[str, Any]],
) -> None:
    values = [
        base64.b64decode(value).decode()
        for one in objects
        if one["kind"] == "Secret"
        for value in one["data"].values()
    ]
    others = json.dumps([one for one in objects if one["kind"] != "Secret"])
    assert not [value for value in values if json.dumps(value)[1:-1] in others]
    for name, one in containers(objects):
        for variable in one.get("env", []):
            if re.search("PASSWORD|SECRET|DATABASE_URL", variable["name"]):
                assert "valueFrom" in variable, f"{name}: {variable['name']}"


def training_lies_beside_no_secret(objects: list[dict[str, Any]]) -> None:
    secrets = [one for one in objects if one["kind"] == "Secret"]
    assert all(one["metadata"].get("namespace", "gyrus") == "gyrus" for one in secrets)
    jobs = [one for one in objects if one["kind"] == "RayJob"]
    assert all(one["metadata"]["namespace"] == "gyrus-training" for one in jobs)
    assert "secretKeyRef" not in json.dumps(jobs)


POLICIES: list[Callable[[list[dict[str, Any]]], None]] = [
    no_pod_runs_as_root,
    no_container_has_a_privilege_or_writes_to_its_root,
    each_container_says_what_it_needs_and_has_a_limit,
    images_are_pinned,
    only_the_gateway_and_rays_autoscaler_reach_the_kubernetes_api,
    no_secret_is_in_a_config_map_an_argument_or_an_environment,
    training_lies_beside_no_secret,
]

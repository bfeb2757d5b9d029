"""Objects, held against the schemas of Kubernetes and those of custom resources.

Kubernetes' own are in the models of lightkube, which are made of its OpenAPI. The definitions of
custom resources are those in the folder that GYRUS_CRDS names, or else beside the `helm` on PATH.
"""

import os
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from lightkube.codecs import resource_registry
from lightkube.models.meta_v1 import ObjectMeta

from tests.rendering import Objects, parse


def validate(objects: Objects) -> None:
    """Check all objects; a kind that neither Kubernetes nor a definition knows is a fault, too."""
    for one in objects:
        name = one["apiVersion"], one["kind"]
        schema = _defined().get(name) or _of_model(resource_registry.load(*name))
        # The schema itself is not checked: some of its patterns only Go reads.
        jsonschema.Draft202012Validator(schema).validate(one)


@cache
def _defined() -> dict[tuple[str, str], dict[str, Any]]:
    helm = shutil.which("helm")
    folder = os.environ.get("GYRUS_CRDS") or (Path(helm).parent if helm else None)
    texts = [path.read_text() for path in sorted(Path(folder).glob("*.yaml"))] if folder else []
    found = {}
    for definition in (one for text in texts for one in parse(text)):
        if definition["kind"] == "CustomResourceDefinition":
            spec = definition["spec"]
            for version in spec["versions"]:
                name = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
                found[name] = _closed(version["schema"]["openAPIV3Schema"])
                # A definition leaves it to Kubernetes. With the id, its references are its own.
                metadata = {"$id": "urn:metadata", **_of_model(ObjectMeta)}
                found[name]["properties"]["metadata"] = metadata
    if ("ray.io/v1", "RayJob") not in found:
        pytest.skip("no definitions of KubeRay's resources: set GYRUS_CRDS")
    return found


@cache
def _of_model(model: type) -> dict[str, Any]:
    schema: dict[str, Any] = _closed(msgspec.json.schema(model))
    return schema


def _closed(schema: Any) -> Any:
    """The same schema, which refuses unknown keys as `kubectl --validate=strict` does."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema == {"type": "object"}:
        # So the models write any map: labels, data and amounts, which they take as strings only.
        return {**schema, "additionalProperties": {"type": "string"}}
    closed = {key: _closed(below) for key, below in schema.items()}
    takes_more = (
        "additionalProperties" in schema or "x-kubernetes-preserve-unknown-fields" in schema
    )
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        closed |= {} if takes_more else {"additionalProperties": False}
    return closed

"""Custom resources, held against the schemas of their definitions.

The definitions are those in the folder that GYRUS_CRDS names, or else beside the `helm` on PATH.
"""

import os
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.rendering import Objects, parse


def validate(objects: Objects) -> int:
    """Check all objects that a definition is known of; returns how many there were."""
    schemas = _schemas()
    known = [one for one in objects if (one["apiVersion"], one["kind"]) in schemas]
    for one in known:
        # The schema itself is not checked: some of its patterns only Go reads.
        jsonschema.Draft202012Validator(schemas[one["apiVersion"], one["kind"]]).validate(one)
    return len(known)


@cache
def _schemas() -> dict[tuple[str, str], dict[str, Any]]:
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
                found[name]["properties"]["metadata"] = {"type": "object"}
    if ("ray.io/v1", "RayJob") not in found:
        pytest.skip("no definitions of KubeRay's resources: set GYRUS_CRDS")
    return found


def _closed(schema: Any) -> Any:
    """The same schema, which refuses unknown keys as `kubectl --validate=strict` does."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(below) for key, below in schema.items()}
    takes_more = (
        "additionalProperties" in schema or "x-kubernetes-preserve-unknown-fields" in schema
    )
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        closed |= {} if takes_more else {"additionalProperties": False}
    return closed

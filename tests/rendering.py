"""Objects for a cluster as they are written, or as helm and kustomize make them."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
CHART = ROOT / "helm" / "gyrus"

Objects = list[dict[str, Any]]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """What a program said; skips the test where it is not installed."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run(command, capture_output=True, text=True)


def template(*arguments: str, folder: Path = CHART) -> subprocess.CompletedProcess[str]:
    version = ["--kube-version", "1.34.0"]
    return run("helm", "template", "gyrus", str(folder), "-n", "gyrus", *version, *arguments)


def chart(*arguments: str, folder: Path = CHART) -> Objects:
    """The chart's objects; the RayJob that trainings are made from is among them."""
    done = template(*arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    found = parse(done.stdout)
    jobs = [one["data"]["rayjob.yaml"] for one in found if "rayjob.yaml" in one.get("data", {})]
    return found + [yaml.safe_load(one) for one in jobs]


def kustomize(folder: Path) -> Objects:
    done = run("kubectl", "kustomize", str(folder))
    assert done.returncode == 0, done.stderr
    return parse(done.stdout)


def parse(text: str) -> Objects:
    return [one for one in yaml.safe_load_all(text) if one]

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

CHART = Path(__file__).parents[2] / "helm" / "gyrus"
SCENARIOS = sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").iterdir())

Objects = list[dict[str, Any]]


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("helm") is None:
        pytest.skip("helm is not installed")
    return subprocess.run(["helm", *arguments], capture_output=True, text=True)


def template(*arguments: str) -> subprocess.CompletedProcess[str]:
    return helm(
        "template", "gyrus", str(CHART), "-n", "gyrus", "--kube-version", "1.34.0", *arguments
    )


@pytest.fixture(scope="session")
def lint() -> Callable[..., str]:
    """Lints the chart with values; returns what helm said."""

    def run(*arguments: str) -> str:
        done = helm("lint", "--strict", str(CHART), *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def render() -> Callable[..., Objects]:
    """Renders the chart with arguments of `helm template`; the RayJob of training is among them."""

    def run(*arguments: str) -> Objects:
        done = template(*arguments)
        assert done.returncode == 0, done.stderr
        found = [one for one in yaml.safe_load_all(done.stdout) if one]
        jobs = [one["data"]["rayjob.yaml"] for one in found if "rayjob.yaml" in one.get("data", {})]
        return found + [yaml.safe_load(one) for one in jobs]

    return run


@pytest.fixture(scope="session")
def refusal() -> Callable[..., str]:
    """What helm says of values that it refuses."""

    def run(*arguments: str) -> str:
        done = template(*arguments)
        assert done.returncode != 0, "helm took these values"
        return done.stderr

    return run


@pytest.fixture(params=SCENARIOS)
def scenario(request: pytest.FixtureRequest) -> list[str]:
    """The arguments that name the values of one scenario of `ci/`."""
    return ["-f", str(CHART / "ci" / f"{request.param}-values.yaml")]


@pytest.fixture
def objects(scenario: list[str], render: Callable[..., Objects]) -> Objects:
    """The objects of one scenario."""
    return render(*scenario)

from collections.abc import Callable

import pytest

from tests.rendering import CHART, Objects, chart, run, template

SCENARIOS = sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").iterdir())


@pytest.fixture(scope="session")
def lint() -> Callable[..., str]:
    """Lints the chart with values; returns what helm said."""

    def lint(*arguments: str) -> str:
        done = run("helm", "lint", "--strict", str(CHART), *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return lint


@pytest.fixture(scope="session")
def render() -> Callable[..., Objects]:
    """Renders the chart with arguments of `helm template`; the RayJob of training is among them."""
    return chart


@pytest.fixture(scope="session")
def refusal() -> Callable[..., str]:
    """What helm says of values that it refuses."""

    def refusal(*arguments: str) -> str:
        done = template(*arguments)
        assert done.returncode != 0, "helm took these values"
        return done.stderr

    return refusal


@pytest.fixture(params=SCENARIOS)
def scenario(request: pytest.FixtureRequest) -> list[str]:
    """The arguments that name the values of one scenario of `ci/`."""
    return ["-f", str(CHART / "ci" / f"{request.param}-values.yaml")]


@pytest.fixture
def objects(scenario: list[str], render: Callable[..., Objects]) -> Objects:
    """The objects of one scenario."""
    return render(*scenario)

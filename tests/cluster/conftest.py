"""One Gyrus on a real Kubernetes, that all tests of this folder share."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from gyrus import phantom
from tests.cluster.installed import HERE, Cluster, Installed
from tests.conftest import run_gyrus

NAMESPACE = "gyrus-test"
DATASET = "small"


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster of `GYRUS_TEST_KUBECONFIG`."""
    kubeconfig = os.environ.get("GYRUS_TEST_KUBECONFIG")
    if not kubeconfig:
        pytest.skip("GYRUS_TEST_KUBECONFIG names no cluster")
    return Cluster(kubeconfig)


@pytest.fixture(scope="session")
def gyrus(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Installed]:
    """Gyrus, without a model at first."""
    with cluster.namespace(NAMESPACE):
        password = f"--from-literal=redis-password={secrets.token_hex()}"
        cluster.kubectl("-n", NAMESPACE, "create", "secret", "generic", "redis", password)
        cluster.kubectl("-n", NAMESPACE, "apply", "-f", str(HERE / "redis.yaml"))
        with Installed.install(cluster, NAMESPACE) as installed:
            yield installed
            if request.session.testsfailed:
                print(cluster.kubectl("get", "pods,events", "-A"))


@pytest.fixture(scope="session")
def served(gyrus: Installed, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Gyrus with two versions of a small model, of which the first is promoted."""
    home: Path = tmp_path_factory.mktemp("home")
    phantom.generate(home / "datasets", name=DATASET, patients=32, slices=2, seed=5)
    with gyrus.forward("gyrus-mlflow", 5000) as uri:
        environment = {**os.environ, "GYRUS_HOME": str(home), "GYRUS_TRACKING_URI": uri}
        for filters in ("8", "12"):
            recipe = ("--dataset", DATASET, "--epochs", "2", "--filters", filters)
            run_gyrus(environment, "train", *recipe)
    with gyrus.api() as api:
        api.post("/v1/models/1/promote").raise_for_status()
    return gyrus

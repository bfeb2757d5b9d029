from collections.abc import Callable

import pytest

from tests.rendering import ROOT, Objects, kustomize, parse

K8S = ROOT / "k8s"


@pytest.fixture(scope="session")
def read() -> Callable[[str], Objects]:
    """The objects of a file of `k8s/`, or those that a folder of kustomize makes."""

    def read(name: str) -> Objects:
        path = K8S / name
        return kustomize(path) if path.is_dir() else parse(path.read_text())

    return read

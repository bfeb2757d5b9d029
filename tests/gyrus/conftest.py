"""What several of these tests share."""

from pathlib import Path

import pytest

from gyrus import phantom
from gyrus.datasets import Dataset
from tests.graphs import write_graph
from tests.gyrus.training_cluster import TrainingCluster


@pytest.fixture
def cluster(tmp_path: Path) -> TrainingCluster:
    """A Kubernetes that runs trainings."""
    return TrainingCluster(tmp_path)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A generated dataset that is large enough to have every class in every split."""
    folder: Path = tmp_path_factory.mktemp("datasets")
    return phantom.generate(folder, name="small", patients=32, slices=2, seed=5)


@pytest.fixture(scope="session")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A graph of a model, as a bundle has it."""
    path: Path = tmp_path_factory.mktemp("graph") / "model.onnx"
    write_graph(path)
    return path

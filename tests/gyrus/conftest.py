"""What several of these tests share."""

from pathlib import Path

import pytest

from tests.gyrus.training_cluster import TrainingCluster


@pytest.fixture
def cluster(tmp_path: Path) -> TrainingCluster:
    """A Kubernetes that runs trainings."""
    return TrainingCluster(tmp_path)

from pathlib import Path

import pytest

from gyrus import phantom
from gyrus.datasets import Dataset


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A generated dataset that is large enough to have every class in every split."""
    folder: Path = tmp_path_factory.mktemp("datasets")
    return phantom.generate(folder, name="small", patients=32, slices=2, seed=5)

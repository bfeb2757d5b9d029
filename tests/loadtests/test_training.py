"""The contestants of the bench of training: each does its steps, as a function and as a process."""

from pathlib import Path

import pytest
from upath import UPath

from gyrus import phantom
from gyrus.datasets import Dataset
from gyrus.errors import TrainingFailed
from loadtests.contestants import CONTESTANTS, fresh
from loadtests.gpu import main, pace
from loadtests.training import ENTRIES, measure, started
from training_jobs.augment import WEAK
from training_jobs.batches import LEAST_STEPS, TrainBatches
from training_jobs.config import TrainConfig


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return phantom.generate(tmp_path_factory.mktemp("datasets"), patients=16, slices=2)


@pytest.mark.parametrize("name", sorted(CONTESTANTS))
def test_a_contestant_does_steps_again_and_again(name: str, dataset: Dataset) -> None:
    folder = UPath(dataset.folder)
    config = TrainConfig(run="bench", dataset=folder, storage=folder, filters=4, batch=4)
    steps = CONTESTANTS[name](dataset, config, 0)
    for number in (1, 2):
        steps(number)


def test_there_are_as_many_batches_as_are_asked_for(dataset: Dataset) -> None:
    batches = fresh(TrainBatches(dataset, WEAK, batch=2, rank=0, world=1, seed=0))
    for number in (LEAST_STEPS + 5, 1):
        assert len(list(batches(number))) == number


def test_all_take_part_and_say_how_long_a_step_took() -> None:
    rounds = measure(2, model="cnn", steps=1, patients=16)
    assert [set(one) for one in rounds] == [set(ENTRIES)] * 2
    assert min(min(one.values()) for one in rounds) > 0


def test_a_contestant_that_ends_early_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="`input` ended"), started(tmp_path, "input", "cnn", 1):
        pass


def test_a_pace_counts_images_and_waiting(dataset: Dataset) -> None:
    folder = UPath(dataset.folder)
    config = TrainConfig(
        run="bench", dataset=folder, storage=folder, filters=4, batch=4, precision="float32"
    )
    found = pace(config, 3)
    assert found.rate > 0
    assert 0 < found.waiting < 1


def test_without_a_gpu_nothing_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["gpu"])
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: [])
    assert main() == 2
    assert "no GPU" in capsys.readouterr().err

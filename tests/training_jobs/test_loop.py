"""One worker's part of a run, alone and without Ray."""

import math
import warnings
from operator import attrgetter
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import keras
import numpy as np
import pytest

from gyrus.datasets import Dataset
from training_jobs.batches import LEAST_STEPS
from training_jobs.checkpoint import Checkpoints
from training_jobs.config import TrainConfig
from training_jobs.events import Channel
from training_jobs.loop import Worker
from training_jobs.orders import End


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has orders, and there is nobody to tell."""
    monkeypatch.setattr("training_jobs.orders.LOOK_EVERY_S", math.inf)
    monkeypatch.setattr("training_jobs.loop.broadcast_from_rank_zero", lambda value: value)


def worker(dataset: Dataset, folder: Path, rank: int = 0, **asked: Any) -> Worker:
    place = {"dataset": dataset.folder, "storage": folder}
    config = TrainConfig.model_validate({"run": "one", "filters": 4, "batch": 8, **place, **asked})
    config.folder.mkdir(exist_ok=True)
    channel = Channel(SimpleQueue(), SimpleQueue())  # type: ignore[arg-type]
    return Worker(config, channel, rank=rank, world=rank + 1)


def arrays(one: Worker, name: str) -> list[Any]:
    return [variable.numpy() for variable in attrgetter(name)(one._group)]


class StopAt:
    """Orders to stop after so many steps."""

    due, leaving = True, ()

    def __init__(self, one: Worker, steps: int) -> None:
        self._one, self._steps = one, steps

    def look(self) -> str | None:
        return "stop" if self._one._iterations == self._steps else None

    def saved(self) -> None:
        pass


@pytest.mark.parametrize("damaged", ["at once", "later"])
def test_a_loss_that_is_no_number_ends_a_run_before_it_is_saved(
    small_dataset: Dataset, tmp_path: Path, damaged: str
) -> None:
    one = worker(small_dataset, tmp_path)
    group = one._group
    nothing = [weights * np.nan for weights in group.model.get_weights()]
    if damaged == "at once":
        group.model.set_weights(nothing)
    else:
        group.average.join = lambda iterations: setattr(group.average, "weights", nothing)  # type: ignore[method-assign]
    assert one.run() == End("diverged")
    assert one._iterations == (0 if damaged == "at once" else LEAST_STEPS)
    assert not list(tmp_path.glob("one/*"))


@pytest.fixture
def pretrained(tmp_path: Path) -> dict[str, Any]:
    """A recipe with a base that has weights of its own."""
    path = tmp_path / "own.weights.h5"
    base = keras.applications.MobileNetV2((224, 224, 3), 0.35, include_top=False, weights=None)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # Keras'
        base.save_weights(path)
    return {"model": "mobilenetv2", "alpha": 0.35, "weights": str(path), "frozen_epochs": 1}


@pytest.mark.parametrize(("epochs", "steps", "fresh"), [(0, 0, 1), (1, 0, 1), (1, 5, 0), (2, 0, 0)])
def test_the_optimizer_starts_anew_when_the_base_does_and_not_when_a_run_goes_on(
    small_dataset: Dataset,
    tmp_path: Path,
    pretrained: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    epochs: int,
    steps: int,
    fresh: int,
) -> None:
    one = worker(small_dataset, tmp_path, **pretrained, epochs=3)
    resets = []
    monkeypatch.setattr(one._group, "step", lambda *batch, sign: (0.5, False))
    monkeypatch.setattr(one._group, "reset_optimizer", lambda: resets.append(one._iterations))
    one._epochs_done, one._steps_done = epochs, steps
    one._iterations = epochs * LEAST_STEPS + steps
    assert one.run() == End("done")
    assert resets == [LEAST_STEPS] * fresh
    assert one._iterations == 3 * LEAST_STEPS


@pytest.mark.parametrize("at", [LEAST_STEPS // 2, LEAST_STEPS + 2])
def test_a_pretrained_run_goes_on_where_it_was_stopped(
    small_dataset: Dataset, tmp_path: Path, pretrained: dict[str, Any], at: int
) -> None:
    first, second = (worker(small_dataset, tmp_path, **pretrained, epochs=2) for _ in range(2))
    losses = []
    for one, until in ((first, at), (second, at + 1)):
        one.restore()
        one._orders = StopAt(one, until)  # type: ignore[assignment]
        if one is second:
            assert len(arrays(one, "model.variables")) == len(arrays(one, "model.weights")) + 1
            for variables in ("model.variables", "average.variables", "optimizer.variables"):
                pairs = zip(arrays(first, variables), arrays(second, variables), strict=True)
                for before, after in pairs:
                    np.testing.assert_array_equal(after, before, err_msg=variables)
        assert one.run() == End("stopped")
        losses.append(one._loss)
    first._orders = StopAt(first, at + 1)  # type: ignore[assignment]
    assert first.run() == End("stopped")
    assert second._iterations == first._iterations == at + 1
    assert losses[1] == pytest.approx(first._loss, rel=1e-4) != losses[0]


def test_a_head_alone_never_stops_early_and_the_base_starts_with_patience(
    small_dataset: Dataset,
    tmp_path: Path,
    pretrained: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = worker(small_dataset, tmp_path, **pretrained | {"frozen_epochs": 4}, epochs=9, patience=2)
    losses = iter([0.5, *[0.6] * 8])
    monkeypatch.setattr(one._group, "step", lambda *batch, sign: (0.5, False))
    monkeypatch.setattr(one, "_validate", lambda stage: {"val_loss": next(losses)})
    assert one.run() == End("done")
    assert one._epochs_done == 4 + 2


@pytest.mark.parametrize("older", [False, True])
def test_another_worker_goes_on_with_units_of_its_own(
    small_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, older: bool
) -> None:
    first = worker(small_dataset, tmp_path)
    first._sow([np.array([5, 6])])
    first._save()
    if older:  # which did not hold them
        checkpoints = Checkpoints(first._config.folder)
        state, _ = checkpoints.newest()
        assert state is not None
        state.seeds = []
        checkpoints.save(state)
    monkeypatch.setattr("training_jobs.loop.broadcast_from_rank_zero", lambda value: 0)
    second = worker(small_dataset, tmp_path, rank=1)
    begun = second._seeds[0].numpy().tolist()
    second.restore()
    assert second._seeds[0].numpy().tolist() == (begun if older else [6, 6])


def test_each_worker_drops_other_units(small_dataset: Dataset, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    first = worker(small_dataset, tmp_path)._seeds[0]
    keras.utils.set_random_seed(0)
    second = worker(small_dataset, tmp_path, rank=1)._seeds[0]
    assert (second.numpy() - first.numpy()).tolist() == [1, 0]

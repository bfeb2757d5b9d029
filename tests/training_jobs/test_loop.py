"""One worker's part of a run, alone and without Ray."""

import math
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import keras
import numpy as np
import pytest

from gyrus.datasets import Dataset
from training_jobs.batches import LEAST_STEPS
from training_jobs.config import TrainConfig
from training_jobs.events import Channel
from training_jobs.loop import Worker
from training_jobs.orders import End


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has orders, and there is nobody to tell."""
    monkeypatch.setattr("training_jobs.orders.LOOK_EVERY_S", math.inf)
    monkeypatch.setattr("training_jobs.loop.broadcast_from_rank_zero", lambda value: value)


def worker(dataset: Dataset, folder: Path, **asked: Any) -> Worker:
    place = {"dataset": dataset.folder, "storage": folder}
    config = TrainConfig.model_validate({"run": "one", "filters": 4, "batch": 8, **place, **asked})
    config.folder.mkdir(exist_ok=True)
    channel = Channel(SimpleQueue(), SimpleQueue())  # type: ignore[arg-type]
    return Worker(config, channel, rank=0, world=1)


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
        one._average.join = lambda _: setattr(one._average, "weights", nothing)  # type: ignore[method-assign]
    assert one.run() == End("diverged")
    assert one._iterations == (0 if damaged == "at once" else LEAST_STEPS)
    assert not list(tmp_path.glob("one/*"))


# Keras, when it saves weights.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize(("epochs", "steps", "fresh"), [(0, 0, 1), (1, 0, 1), (1, 5, 0), (2, 0, 0)])
def test_the_optimizer_starts_anew_when_the_base_does_and_not_when_a_run_goes_on(
    small_dataset: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    epochs: int,
    steps: int,
    fresh: int,
) -> None:
    base = keras.applications.MobileNetV2((224, 224, 3), 0.35, include_top=False, weights=None)
    base.save_weights(tmp_path / "own.weights.h5")
    asked = {"model": "mobilenetv2", "alpha": 0.35, "weights": str(tmp_path / "own.weights.h5")}
    one = worker(small_dataset, tmp_path, **asked, frozen_epochs=1, epochs=3)
    resets = []
    monkeypatch.setattr(one._group, "step", lambda *batch, sign: (0.5, False))
    monkeypatch.setattr(one._group, "reset_optimizer", lambda: resets.append(one._iterations))
    one._epochs_done, one._steps_done = epochs, steps
    one._iterations = epochs * LEAST_STEPS + steps
    assert one.run() == End("done")
    assert resets == [LEAST_STEPS] * fresh
    assert one._iterations == 3 * LEAST_STEPS

import math
from queue import SimpleQueue

import numpy as np
import pytest
from upath import UPath

from gyrus.datasets import Dataset
from training_jobs.config import TrainConfig
from training_jobs.events import Channel
from training_jobs.loop import Worker
from training_jobs.orders import End


def test_a_loss_that_is_no_number_ends_a_run_before_it_is_saved(
    small_dataset: Dataset, tmp_path: UPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training_jobs.orders.LOOK_EVERY_S", math.inf)  # at what others say
    place = {"dataset": small_dataset.folder, "storage": tmp_path}
    config = TrainConfig.model_validate({"run": "one", "filters": 4, "batch": 8, **place})
    worker = Worker(config, Channel(SimpleQueue(), SimpleQueue()), rank=0, world=1)  # type: ignore[arg-type]
    model = worker._group.model
    model.set_weights([weights * np.nan for weights in model.get_weights()])
    assert worker.run() == End("diverged")
    assert not list(tmp_path.iterdir())

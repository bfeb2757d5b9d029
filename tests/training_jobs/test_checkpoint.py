from pathlib import Path

import numpy as np

from training_jobs.checkpoint import State
from training_jobs.schedule import Schedule


def test_a_state_is_read_as_it_was_saved(tmp_path: Path) -> None:
    arrays = [np.full((2, 3), index, np.float32) for index in range(12)]
    schedule = Schedule(learning_rate=5e-4, patience=3, best=0.4, since_best=1)
    optimizer = [np.array(77, np.int64), *arrays]
    average = [array * 2 for array in arrays]
    State(4, arrays, average, arrays[::-1], optimizer, schedule).save(tmp_path)
    read = State.load(tmp_path)
    assert (read.epoch, read.schedule, read.iterations) == (4, schedule, 77)
    pairs = ((arrays, read.weights), (average, read.average), (arrays[::-1], read.best))
    for saved, loaded in pairs:
        for one, other in zip(saved, loaded, strict=True):
            np.testing.assert_array_equal(one, other)

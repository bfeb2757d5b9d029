"""The moving average of a model's weights."""

import math

import keras
import numpy as np
import pytest

from training_jobs.average import AVERAGE_EVERY, AVERAGE_STEPS, MovingAverage


@pytest.fixture
def model() -> keras.Model:
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])


def test_it_begins_as_a_plain_mean_and_forgets(model: keras.Model) -> None:
    average = MovingAverage(model)

    def join(iterations: int, value: float) -> list[float]:
        model.set_weights([np.full_like(weights, value) for weights in model.get_weights()])
        average.join(iterations)
        return [float(weights.mean()) for weights in average.weights]

    assert join(AVERAGE_EVERY, 1) == [1, 1]
    assert join(AVERAGE_EVERY + 1, 7) == [1, 1]
    assert join(2 * AVERAGE_EVERY, 3) == [2, 2]
    kept = math.exp(-AVERAGE_EVERY / AVERAGE_STEPS)
    assert join(100 * AVERAGE_EVERY, 0) == pytest.approx([2 * kept] * 2)


def test_what_was_read_or_given_is_nobody_elses(model: keras.Model) -> None:
    average = MovingAverage(model)
    given = [np.ones_like(weights) for weights in model.get_weights()]
    average.weights = given
    before = average.weights
    model.set_weights([np.zeros_like(weights) for weights in given])
    average.join(AVERAGE_EVERY)
    assert [weights.mean() for weights in average.weights] == [0, 0]
    assert [weights.mean() for weights in [*before, *given]] == [1] * 4

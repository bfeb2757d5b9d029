"""The way back through the last layers of each architecture, against the gradient tape."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from training_jobs.backward import LastStage, ends
from training_jobs.config import TrainConfig
from training_jobs.models import build


@pytest.mark.parametrize("architecture", ["mobilenetv2", "resnet50"])
def test_gradients_are_those_of_the_tape(architecture: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    config = TrainConfig(
        run="back", dataset=tmp_path, storage=tmp_path, model=architecture, alpha=0.35
    )
    model = build(config, 3)
    for weight in model.weights:  # as if the norms had learned something
        if weight.path.endswith(("gamma", "moving_variance")):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    stage = LastStage(model)
    images = tf.constant(rng.integers(0, 255, (1, 224, 224, 1), dtype=np.uint8))
    detailed, last, values = stage.run(images)
    assert detailed.shape[1:3] == (14, 14)
    gradients = rng.normal(size=(1, 2, *last.shape[1:])).astype(np.float32)
    found = stage.back(tf.constant(gradients), values)
    rest = keras.Model(*ends(model)[1:])
    for number in range(2):
        with tf.GradientTape() as tape:
            tape.watch(detailed)
            score = tf.reduce_sum(rest(detailed, training=False) * gradients[:, number])
        expected = tape.gradient(score, detailed).numpy()
        assert np.abs(found[:, number] - expected).max() <= 1e-5 * np.abs(expected).max()

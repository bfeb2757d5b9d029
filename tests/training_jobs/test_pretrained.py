from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from upath import UPath

from training_jobs.config import TrainConfig
from training_jobs.models import build
from training_jobs.models.head import POOLED


# Keras, when it saves them.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_mobilenet_sees_a_gray_image_as_its_weights_saw_three_equal_channels(
    tmp_path: Path,
) -> None:
    keras.utils.set_random_seed(0)
    colour = keras.applications.MobileNetV2((224, 224, 3), 0.35, include_top=False, weights=None)
    for norm in (one for one in colour.layers if isinstance(one, keras.layers.BatchNormalization)):
        norm.moving_variance.assign(norm.moving_variance * 0.05)  # or nothing arrives at the end
    file = tmp_path / "own.weights.h5"
    colour.save_weights(file)
    config = TrainConfig(
        run="one",
        dataset=UPath("d"),
        storage=UPath("s"),
        model="mobilenetv2",
        weights=str(file),
        alpha=0.35,
    )
    model = build(config, 2)
    gray = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 1), dtype=np.uint8)
    gray[1, :112] = 0
    scaled = keras.applications.mobilenet_v2.preprocess_input(
        np.repeat(gray, 3, axis=3).astype(np.float32)
    )
    pooled = keras.Model(model.input, model.get_layer(POOLED).output)
    wanted = tf.reduce_mean(colour(scaled), (1, 2))
    np.testing.assert_allclose(pooled(gray), wanted, atol=0.01)
    assert not np.allclose(wanted[0], wanted[1], atol=0.1)

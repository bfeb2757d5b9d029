"""Whether heatmaps depend on what a model has learned."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scipy.stats import spearmanr

from gyrus.datasets import Dataset
from training_jobs.config import TrainConfig
from training_jobs.gradcam import FeatureSpace, serving_function
from training_jobs.models import build
from training_jobs.models.head import HIDDEN, LOGITS


def test_maps_change_as_weights_are_shuffled_from_the_top(
    small_dataset: Dataset, tmp_path: Path
) -> None:
    """The cascading randomisation of Adebayo et al. 2018."""
    keras.utils.set_random_seed(0)
    config = TrainConfig(run="sane", dataset=tmp_path, storage=tmp_path, filters=8)
    model = build(config, len(small_dataset.classes))
    rows = small_dataset.split("train")
    images, labels = small_dataset.images[rows][..., None], small_dataset.labels[rows]
    optimizer = keras.optimizers.Adam(2e-3)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(some: Any, of: Any) -> None:
        with tf.GradientTape() as tape:
            logits = model(some, training=True)
            loss = keras.losses.sparse_categorical_crossentropy(of, logits, from_logits=True)
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)

    rng = np.random.default_rng(0)
    for _ in range(20):
        chosen = rng.choice(len(rows), 16)
        step(tf.constant(images[chosen]), tf.constant(labels[chosen]))

    def maps() -> Any:
        channels = model.get_layer(HIDDEN).get_weights()[0].shape[0]
        space = FeatureSpace(np.zeros((1, channels), np.float32), np.eye(channels, dtype="f4"))
        cam = serving_function(model, 1.0, space)(tf.constant(images[:12]))["cam"].numpy()
        return cam.reshape(-1, cam.shape[-1] ** 2)

    learned = maps()
    assert learned.any()
    kernels = [one for one in model.layers if isinstance(one, keras.layers.Conv2D)]
    layers = [model.get_layer(LOGITS), model.get_layer(HIDDEN), *reversed(kernels)]
    for number, layer in enumerate(layers):
        layer.set_weights(
            [rng.permutation(w.ravel()).reshape(w.shape) for w in layer.get_weights()]
        )
        pairs = zip(learned, maps(), strict=True)
        found = [
            spearmanr(one, other).statistic for one, other in pairs if one.any() and other.any()
        ]
        assert found or number > 2  # of weights without sense many maps are empty
        assert np.mean(found or [0]) < 0.5

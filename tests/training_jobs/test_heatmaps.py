"""Figures of heatmaps, and whether heatmaps depend on what a model has learned."""

from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import tensorflow as tf
from scipy.stats import spearmanr

from gyrus.datasets import Dataset
from training_jobs.config import TrainConfig
from training_jobs.gradcam import FeatureSpace, serving_function
from training_jobs.heatmaps import energies, localisation, points
from training_jobs.models import build
from training_jobs.models.head import HIDDEN, LOGITS


def a_mask() -> Any:
    mask = np.zeros((1, 224, 224), np.uint8)
    mask[:, 100:124, 100:124] = 1
    return mask


def a_map(row: int, column: int) -> Any:
    one = np.zeros((1, 14, 14), np.float32)
    one[0, row, column] = 1
    return one


def test_a_point_hits_in_the_tumour_and_within_the_tolerance_of_it() -> None:
    assert points(a_map(6, 6), a_mask(), tolerance=0).all()
    assert not points(a_map(5, 6), a_mask(), tolerance=0).any()
    assert points(a_map(5, 6), a_mask()).all()
    assert not points(a_map(1, 6), a_mask()).any()


def test_a_map_of_zeros_hits_nothing() -> None:
    nothing = np.zeros((1, 14, 14), np.float32)
    assert not points(nothing, a_mask()).any()
    assert energies(nothing, a_mask()) == 0


def test_energy_is_the_share_inside() -> None:
    even = np.ones((1, 14, 14), np.float32)
    np.testing.assert_allclose(energies(even, a_mask()), (24 / 224) ** 2, rtol=1e-5)


def test_maps_that_are_the_masks_hit_every_kind_of_tumour(small_dataset: Dataset) -> None:
    masks = small_dataset.masks
    assert masks is not None
    rows = small_dataset.split("test")
    seen = {small_dataset.images[row].tobytes(): masks[row] for row in rows}

    def explain(images: Any) -> Any:
        small = [cv2.resize(seen[one.tobytes()].astype(np.float32), (56, 56)) for one in images]
        return np.repeat(np.stack(small)[:, None], len(small_dataset.classes), axis=1)

    figures = localisation(explain, small_dataset, rows)
    for name in small_dataset.tumour_classes:
        assert figures[f"pointing_{name}"] == 1
        assert figures[f"energy_{name}"] > 0.6


def test_maps_change_as_weights_are_drawn_anew_from_the_top(
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
    for layer in [model.get_layer(LOGITS), model.get_layer(HIDDEN), *reversed(kernels)]:
        layer.set_weights(
            [rng.permutation(w.ravel()).reshape(w.shape) for w in layer.get_weights()]
        )
        pairs = zip(learned, maps(), strict=True)
        found = [
            spearmanr(one, other).statistic for one, other in pairs if one.any() and other.any()
        ]
        alike = float(np.mean(found)) if found else 0.0
        assert alike < 0.5

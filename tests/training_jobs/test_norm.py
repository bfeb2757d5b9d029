import keras
import numpy as np
import pytest
import tensorflow as tf
from upath import UPath

from training_jobs.config import TrainConfig
from training_jobs.models import build
from training_jobs.models.norm import FusedBatchNormalization, fuse_norms


def test_fused_normalisation_trains_as_that_of_keras_does() -> None:
    images = np.random.default_rng(0).normal(3, 2, (16, 8, 8, 5)).astype(np.float32)
    wanted = np.random.default_rng(1).normal(size=images.shape).astype(np.float32)
    results = []
    for kind in (keras.layers.BatchNormalization, FusedBatchNormalization):
        layer = kind(momentum=0.9)
        layer.build(images.shape)
        with tf.GradientTape() as tape:
            made = layer(images, training=True)
            loss = tf.reduce_mean((made - wanted) ** 2)
        gradients = tape.gradient(loss, [layer.gamma.value, layer.beta.value])
        moving = [layer.moving_mean.numpy(), layer.moving_variance.numpy()]
        results.append([made, *gradients, *moving, layer(images, training=False)])
    for plain, fused in zip(*results, strict=True):
        np.testing.assert_allclose(fused, plain, rtol=2e-3, atol=1e-5)


def test_fused_normalisation_of_bfloat16_is_that_of_float32_but_for_rounding() -> None:
    images = np.random.default_rng(0).normal(3, 2, (16, 8, 8, 5)).astype(np.float32)
    made = []
    for policy in ("float32", "mixed_bfloat16"):
        layer = FusedBatchNormalization(dtype=policy)
        made.append(layer(images, training=True))
        assert layer.moving_mean.dtype == "float32"
    assert made[1].dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(made[1], tf.float32), made[0], atol=0.03)


@pytest.mark.parametrize("weights", ["none", "imagenet"])
def test_a_model_with_fused_norms_is_the_same_model(weights: str) -> None:
    config = TrainConfig(
        run="one",
        dataset=UPath("d"),
        storage=UPath("s"),
        model="mobilenetv2",
        weights=weights,
        alpha=0.35,
    )
    model = build(config, 4, load_weights=False)
    fused = fuse_norms(model)
    images = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 1), dtype=np.uint8)
    np.testing.assert_allclose(fused(images), model(images), atol=1e-6)
    assert fused.name == model.name
    for kind in ("weights", "trainable_variables"):
        mine, theirs = getattr(fused, kind), getattr(model, kind)
        assert [one.path.split("/")[-2:] for one in mine] == [
            one.path.split("/")[-2:] for one in theirs
        ]
    norms = [
        one for one in fused._flatten_layers() if isinstance(one, keras.layers.BatchNormalization)
    ]
    assert norms and all(isinstance(one, FusedBatchNormalization) for one in norms)

"""The served graph, held against the gradient tape and the model itself."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from loadtests.heatmaps import KEPT, ways
from serve_app.engine import open_engine
from training_jobs.config import TrainConfig
from training_jobs.export import write_onnx
from training_jobs.gradcam import FeatureSpace, pooling_function, serving_function
from training_jobs.models import build

CLASSES = 4


@pytest.fixture(scope="module", params=["cnn", "mobilenetv2"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: Any) -> tuple[keras.Model, Any]:
    """A model after a few steps, and images whose maps are not all zero."""
    keras.utils.set_random_seed(1)
    folder = tmp_path_factory.mktemp("run")
    config = TrainConfig(
        run="cam", dataset=folder, storage=folder, model=request.param, alpha=0.35, filters=4
    )
    model = build(config, CLASSES)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (16, 224, 224, 1), dtype=np.uint8)
    labels = np.arange(16) % CLASSES
    for image, label in zip(images, labels, strict=True):
        image[50 * label : 50 * label + 40, 20:200] += np.uint8(150)
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)
    for _ in range(6):
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            loss = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
    return model, images[:4]


@pytest.fixture(scope="module")
def served(trained: tuple[keras.Model, Any]) -> Any:
    model, _ = trained
    channels = pooling_function(model)(trained[1])[1].shape[-1]
    pooled = np.random.default_rng(2).random((400, channels), np.float32)
    space = FeatureSpace.fit(pooled, np.arange(400) % CLASSES, CLASSES)
    return serving_function(model, 1.5, space)


# In another order of additions some of MobileNetV2's gates fall the other way.
CLOSE = {"cnn": 1e-5, "mobilenetv2": 1e-2}


def test_closed_form_is_the_tape(trained: Any, served: Any) -> None:
    model, images = trained
    cam = served(tf.constant(images))["cam"].numpy()
    assert cam.max() > 0
    for label in range(CLASSES):
        expected = ways(model, tf.constant(images), tf.fill(len(images), label))[KEPT]
        difference = np.abs(cam[:, label] - expected).max()
        assert difference <= CLOSE[model.name] * max(expected.max(), 1e-12)


def test_probabilities_are_the_models_own_after_temperature(trained: Any, served: Any) -> None:
    model, images = trained
    logits = model(images, training=False)
    expected = tf.nn.softmax(logits / 1.5).numpy()
    np.testing.assert_allclose(
        served(tf.constant(images))["probabilities"].numpy(), expected, atol=1e-5
    )


@pytest.fixture(scope="module")
def onnx(served: Any, tmp_path_factory: Any) -> Path:
    path: Path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    write_onnx(served, path)
    return path


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_what_is_served_in_float32_is_what_the_graph_gives(
    trained: Any, served: Any, onnx: Path, runtime: Any
) -> None:
    _, images = trained
    outputs = open_engine(onnx, runtime=runtime, precision="f32").infer(images, True)
    for name, expected in served(tf.constant(images)).items():
        difference = np.abs(getattr(outputs, name) - expected.numpy()).max()
        close = CLOSE[trained[0].name] if name == "cam" else 0
        assert difference <= max(close, 1e-3) * np.abs(expected.numpy()).max()


@pytest.mark.parametrize("trained", ["cnn"], indirect=True)  # six steps teach MobileNetV2 nothing
def test_maps_in_bfloat16_correlate_with_the_graphs(trained: Any, served: Any, onnx: Path) -> None:
    _, images = trained
    expected = served(tf.constant(images))["cam"].numpy()
    found = open_engine(onnx, runtime="openvino", precision="bf16").infer(images, True).cam
    assert found is not None
    for label in range(CLASSES):
        if expected[:, label].any():
            pair = np.corrcoef(expected[:, label].ravel(), found[:, label].ravel())
            assert pair[0, 1] >= 0.97  # gates


def test_distance_of_a_class_mean_is_nought_and_grows_away_from_it() -> None:
    rng = np.random.default_rng(0)
    pooled = rng.normal(size=(200, 5)).astype(np.float32)
    labels = np.arange(200) % 2
    space = FeatureSpace.fit(pooled, labels, 2)
    near, far = space.distances(np.stack([space.means[0], space.means[0] + 50]))
    assert near == pytest.approx(0, abs=1e-4)
    assert far > 20

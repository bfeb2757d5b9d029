"""Mixed precision, on a processor: slow there, but the same numbers."""

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf

from gyrus.bundle import ONNX
from gyrus.datasets import Dataset
from training_jobs.config import TrainConfig
from training_jobs.distributed import DistributedModel
from training_jobs.export import export_bundle
from training_jobs.models import build
from training_jobs.precision import dtype_policy


@pytest.fixture
def mixed() -> Iterator[None]:
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


def test_where_there_is_no_gpu_it_is_float32_unless_asked_otherwise() -> None:
    assert dtype_policy("auto") == "float32"
    assert dtype_policy("mixed_bfloat16") == "mixed_bfloat16"


@pytest.mark.parametrize(
    ("gpus", "policy"),
    [
        ([(9, 0)], "mixed_bfloat16"),
        ([(8, 0), (9, 0)], "mixed_bfloat16"),
        ([(9, 0), (7, 5)], "float32"),
        ([None], "float32"),
    ],
)
def test_bfloat16_is_for_gpus_that_are_all_made_for_it(
    monkeypatch: pytest.MonkeyPatch, gpus: list[tuple[int, int] | None], policy: str
) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    monkeypatch.setattr(
        tf.config.experimental,
        "get_device_details",
        lambda gpu: {"compute_capability": gpu} if gpu else {},
    )
    assert dtype_policy("auto") == policy
    assert dtype_policy("float32") == "float32"


# Keras, when it saves.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_model_trains_in_bfloat16_and_is_exported_in_float32(
    mixed: None, small_dataset: Dataset, tmp_path: Path
) -> None:
    config = TrainConfig.model_validate(
        {"run": "one", "dataset": small_dataset.folder, "storage": tmp_path, "filters": 4}
    )
    keras.utils.set_random_seed(0)
    model = build(config, len(small_dataset.classes))
    assert model.layers[2].compute_dtype == "bfloat16"
    assert model.output.dtype == "float32"
    assert {weight.dtype for weight in model.weights} == {"float32"}
    optimizer = keras.optimizers.Adam(3e-3)
    optimizer.build(model.trainable_variables)
    group = DistributedModel(tf.distribute.get_strategy(), model, optimizer)
    group.train_on(model, model.trainable_variables, 16)
    rows = small_dataset.split("train")[:16]
    batch = small_dataset.images[rows][..., None], small_dataset.allowed[rows]
    losses = [group.step(*batch, np.ones(16, np.float32))[0] for _ in range(20)]
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])

    keras.config.set_dtype_policy("float32")
    whole = build(config, len(small_dataset.classes), load_weights=False)
    whole.set_weights(model.get_weights())
    np.testing.assert_allclose(whole(batch[0]), model(batch[0]), atol=0.1)
    export_bundle(whole, config, small_dataset, tmp_path / "bundle")
    graph = onnx.load(tmp_path / "bundle" / ONNX).graph
    kinds = {onnx.TensorProto.DataType.Name(one.data_type) for one in graph.initializer}
    assert "FLOAT" in kinds and not {"BFLOAT16", "FLOAT16"} & kinds

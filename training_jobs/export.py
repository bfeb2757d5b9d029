"""From a trained model to a sealed bundle: calibrate, measure, convert, describe."""

import os
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf2onnx
from numpy.typing import NDArray

from gyrus.bundle import KERAS, ONNX, Card, seal
from gyrus.datasets import Dataset
from training_jobs.config import TrainConfig
from training_jobs.evaluate import (
    Floats,
    choose_threshold,
    conformal_limit,
    final_metrics,
    fit_temperature,
    softmax,
    tumour_probability,
)
from training_jobs.gradcam import FeatureSpace, feature_model, serving_function
from training_jobs.models.head import HIDDEN, LOGITS

OPSET = 18
BATCH = 64
FEATURE_SAMPLE = 4000
"""At most this many training images fit the feature space."""


def export_bundle(
    model: keras.Model, config: TrainConfig, dataset: Dataset, target: Path
) -> tuple[Card, Floats]:
    """Write the sealed bundle of a trained model into the new folder `target`.

    Temperature, threshold and distance limit come from the calibration split, figures from the
    test split. Returns the card, and the calibrated probabilities (N, K) of the test split.
    """
    splits = {name: dataset.split(name) for name in ("train", "calibration", "test")}
    rng = np.random.default_rng(config.seed)
    if len(splits["train"]) > FEATURE_SAMPLE:
        splits["train"] = np.sort(rng.choice(splits["train"], FEATURE_SAMPLE, replace=False))
    pooled = {name: _pooled(model, dataset, rows) for name, rows in splits.items()}
    labels = {name: dataset.labels[rows] for name, rows in splits.items()}
    logits = {name: _head(model, pooled[name]) for name in ("calibration", "test")}

    space = FeatureSpace.fit(pooled["train"], labels["train"], len(dataset.classes))
    temperature = fit_temperature(logits["calibration"], labels["calibration"])
    calibrated = {name: softmax(values / temperature) for name, values in logits.items()}
    threshold = choose_threshold(
        tumour_probability(calibrated["calibration"], dataset),
        np.isin(labels["calibration"], dataset.tumour_indices),
    )
    groups = dataset.groups[splits["test"]]
    metrics = final_metrics(calibrated["test"], labels["test"], groups, dataset, threshold)
    card = Card(
        architecture=config.model,
        classes=dataset.classes,
        tumour_classes=dataset.tumour_classes,
        threshold=threshold,
        temperature=temperature,
        distance_limit=conformal_limit(space.distances(pooled["calibration"])),
        metrics=metrics,
        dataset=dataset.name,
        dataset_digest=dataset.digest,
        split_digest=dataset.split_digest,
        synthetic=dataset.synthetic,
        run=config.run,
        git_commit=_git_commit(),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".bundle-") as part:
        folder = Path(part) / "bundle"
        folder.mkdir()
        write_onnx(serving_function(model, temperature, space), folder / ONNX)
        model.save(folder / KERAS)
        seal(folder, card)
        os.replace(folder, target)
    return card, calibrated["test"]


def write_onnx(serve: Any, path: Path) -> None:
    """Convert a serving function to ONNX with outputs probabilities, cam and distance."""
    tf2onnx.convert.from_function(
        serve, input_signature=serve.input_signature, opset=OPSET, output_path=str(path)
    )


def _pooled(model: keras.Model, dataset: Dataset, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """The pooled features (len(rows), D) of some images."""
    features = feature_model(model)
    forward = tf.function(lambda x: tf.reduce_mean(features(x, training=False), axis=[1, 2]))
    parts = [
        forward(tf.constant(dataset.images[rows[start : start + BATCH]][..., None])).numpy()
        for start in range(0, len(rows), BATCH)
    ]
    return np.concatenate(parts)


def _head(model: keras.Model, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
    """The logits (N, K) of pooled features (N, D)."""
    w1, b1 = model.get_layer(HIDDEN).get_weights()
    w2, b2 = model.get_layer(LOGITS).get_weights()
    return np.asarray(np.maximum(pooled @ w1 + b1, 0) @ w2 + b2, np.float32)


def _git_commit() -> str:
    """The commit of the source tree, or nothing outside of one."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""

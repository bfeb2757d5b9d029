"""From a trained model to a sealed bundle: calibrate, measure, convert, describe."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf2onnx
from numpy.typing import NDArray

from gyrus.bundle import KERAS, ONNX, Card, Rule, seal
from gyrus.datasets import Dataset
from gyrus.evaluation.calibration import fit_temperature, softmax
from gyrus.evaluation.outcomes import Outcomes, tumour_probability
from gyrus.evaluation.plots import draw_plots
from gyrus.evaluation.report import measure, share_refused
from gyrus.evaluation.thresholds import choose_thresholds, limit_distance
from gyrus.plots import FOLDER as PLOTS
from gyrus.progress import Progress
from gyrus.recipe import Recipe
from training_jobs.config import TrainConfig
from training_jobs.gradcam import FeatureSpace, pooling_function, serving_function
from training_jobs.models.head import HIDDEN, LOGITS

OPSET = 18
BATCH = 64
FEATURE_SAMPLE = 4000
"""At most this many training images fit the feature space."""


def export_bundle(
    model: keras.Model,
    config: TrainConfig,
    dataset: Dataset,
    target: Path,
    epochs: Sequence[Progress] = (),
) -> tuple[Card, Outcomes]:
    """Write the sealed bundle of a trained model into the new folder `target`.

    Temperature, thresholds and distance limit come from the calibration split, figures from the
    test split, asked of the very graph that is served. `epochs` are the run's events of that kind,
    for the plots. Returns the card, and what the model says of the test split.
    """
    train, calibration = dataset.split("train"), dataset.split("calibration")
    rng = np.random.default_rng(config.seed)
    if len(train) > FEATURE_SAMPLE:
        train = np.sort(rng.choice(train, FEATURE_SAMPLE, replace=False))
    pool = pooling_function(model)
    train_pooled, train_detailed = _pooled(pool, dataset, train)
    pooled, detailed = _pooled(pool, dataset, calibration)
    allowed, groups = dataset.allowed, dataset.groups[calibration]

    # Of a label that allows several classes, the likeliest one.
    classes = np.where(allowed[train], _head(model, train_pooled), -np.inf).argmax(1)
    space = FeatureSpace.fit(train_detailed, classes, len(dataset.classes))
    logits = _head(model, pooled)
    temperature = fit_temperature(logits, allowed[calibration])
    thresholds = choose_thresholds(
        tumour_probability(softmax(logits / temperature), dataset.tumour_indices),
        dataset.truth[calibration],
        groups,
        miss_rate=config.miss_rate,
    )
    limit, too_far = limit_distance(space.distances(detailed), groups)
    rule = Rule(
        classes=dataset.classes,
        tumour_classes=dataset.tumour_classes,
        threshold=thresholds.threshold,
        upper_threshold=thresholds.upper_threshold,
        distance_limit=limit,
    )
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".bundle-") as part:
        folder = Path(part) / "bundle"
        folder.mkdir()
        write_onnx(serving_function(model, temperature, space), folder / ONNX)
        model.save(folder / KERAS)
        metrics, outcomes = measure(folder / ONNX, rule, dataset, dataset.split("test"), dataset)
        card = Card(
            **rule.model_dump(),
            architecture=config.model,
            misses=thresholds.misses,
            false_alarms=thresholds.false_alarms,
            too_far=too_far,
            temperature=temperature,
            metrics=metrics,
            strangers_refused=share_refused(folder / ONNX, rule.distance_limit),
            images=dataset.counts,
            dataset=dataset.name,
            dataset_digest=dataset.digest,
            split_digest=dataset.split_digest,
            synthetic=dataset.synthetic,
            recipe=_recipe(config),
            run=config.run,
            git_commit=_git_commit(),
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        draw_plots(folder / PLOTS, epochs, outcomes, card, folder / ONNX, dataset)
        seal(folder, card)
        os.replace(folder, target)
    return card, outcomes


def write_onnx(serve: Any, path: Path) -> None:
    """Convert a serving function to ONNX with outputs probabilities, cam and distance."""
    tf2onnx.convert.from_function(
        serve, input_signature=serve.input_signature, opset=OPSET, output_path=str(path)
    )


def _pooled(
    pool: Any, dataset: Dataset, rows: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The pooled last map (len(rows), D) of some images, and the pooled detailed one (…, E)."""
    parts = [
        pool(tf.constant(dataset.images[rows[start : start + BATCH]][..., None]))
        for start in range(0, len(rows), BATCH)
    ]
    last, detailed = (np.concatenate(some) for some in zip(*parts, strict=True))
    return last, detailed


def _head(model: keras.Model, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
    """The logits (N, K) of pooled features (N, D)."""
    w1, b1 = model.get_layer(HIDDEN).get_weights()
    w2, b2 = model.get_layer(LOGITS).get_weights()
    return np.asarray(np.maximum(pooled @ w1 + b1, 0) @ w2 + b2, np.float32)


def _recipe(config: TrainConfig) -> dict[str, Any]:
    """What of a run says how its model was trained."""
    recipe = config.model_dump(mode="json", include=set(Recipe.model_fields))
    return recipe | {"weights": PurePosixPath(config.weights).name}


def _git_commit() -> str:
    """The commit of the source tree, or nothing outside of one."""
    # Installed, it may lie in the tree of something else.
    commands = ("ls-files", "--error-unmatch", __file__), ("rev-parse", "HEAD")
    said = ""
    try:
        for command in commands:
            git = ["git", "-C", str(Path(__file__).parent), *command]
            said = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
    return said

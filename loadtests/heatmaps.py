"""`python -m loadtests.heatmaps`: ways to draw a heatmap, held against the masks of tumours.

Prints, for each way and kind of tumour, how often a map's highest point is in the tumour or near it
(`TOLERANCE`), and which share of the map is in it. What is served is written as forward operations
(`training_jobs.gradcam`); here everything is differentiated by TensorFlow.
"""

import argparse
import sys
from typing import Any

import cv2
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from gyrus.bundle import KERAS
from gyrus.datasets import Dataset
from gyrus.errors import NotFound
from gyrus.evaluation.heatmaps import energy, points
from loadtests.trained import trained
from training_jobs.backward import ends, entry
from training_jobs.models.head import head_part

Maps = NDArray[np.float32]

PLAIN = "Grad-CAM, last map"
KEPT = "LayerCAM, 14×14, × Grad-CAM, last map"
BATCH = 32


def ways(model: keras.Model, images: Any, labels: Any) -> dict[str, Maps]:
    """Maps (N, h, w) of each image's label, by the name of the way.

    Grad-CAM (Selvaraju et al. 2017), HiResCAM (Draelos & Carin 2020) and LayerCAM (Jiang et al.
    2021) of the model's last map and of its detailed one, and those times the first.
    """
    inner, start, end = ends(model)
    before = keras.Model(model.input, entry(model, inner))(images, training=False)
    detailed = keras.Model(inner.input, start)(before, training=False)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(detailed)
        last = detailed if start is end else keras.Model(start, end)(detailed, training=False)
        logits = head_part(model)(tf.reduce_mean(last, axis=[1, 2]), training=False)
        score = tf.gather(logits, labels, batch_dims=1)
    found: dict[str, Maps] = {}
    for name, some in {"last map": last, "14×14": detailed}.items():
        gradient = tape.gradient(score, some)
        weights = tf.reduce_mean(gradient, axis=[1, 2], keepdims=True)
        drawn = {
            "Grad-CAM": tf.nn.relu(tf.reduce_sum(weights * some, -1)),
            "HiResCAM": tf.nn.relu(tf.reduce_sum(gradient * some, -1)),
            "LayerCAM": tf.reduce_sum(tf.nn.relu(gradient) * some, -1),
        }
        found |= {f"{way}, {name}": one.numpy() for way, one in drawn.items()}
    size = detailed.shape[2:0:-1]
    window = np.stack([cv2.resize(one / max(one.max(), 1e-12), size) for one in found[PLAIN]])
    for way in ("HiResCAM, 14×14", "LayerCAM, 14×14"):
        found[f"{way}, × {PLAIN}"] = found[way] * window
    return found


def compare(model: keras.Model, dataset: Dataset) -> dict[str, dict[str, tuple[float, float]]]:
    """Pointing game and energy of the test split's tumours, by way and kind.

    Raises:
        NotFound: no tumour of the test split has a mask.
    """
    found: dict[str, dict[str, tuple[float, float]]] = {}
    rows = dataset.split("test")
    for label in dataset.tumour_indices:
        chosen = rows[dataset.labels[rows] == label]
        if dataset.masks is None or not dataset.masks[chosen].any():
            raise NotFound(f"No {dataset.classes[label]} of {dataset.name} has a mask.")
        chosen = chosen[dataset.masks[chosen].any(axis=(1, 2))]
        parts = []
        for first in range(0, len(chosen), BATCH):
            some = dataset.images[chosen[first : first + BATCH]][..., None]
            parts.append(ways(model, tf.constant(some), tf.fill(len(some), label)))
        masks = dataset.masks[chosen]
        for way in parts[0]:
            maps = np.concatenate([one[way] for one in parts])
            pairs = list(zip(maps, masks, strict=True))
            hits, shares = ([measure(*pair) for pair in pairs] for measure in (points, energy))
            figures = float(np.mean(hits)), float(np.mean(shares))
            found.setdefault(way, {})[dataset.classes[label]] = figures
    return found


def main() -> int:
    """Measure and print; 2 when there is nothing to measure."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.heatmaps", description=__doc__)
    _, bundle, _, dataset = trained(parser)
    try:
        found = compare(keras.models.load_model(bundle / KERAS), dataset)
    except NotFound as error:
        parser.error(error.detail)
    kinds = [dataset.classes[label] for label in dataset.tumour_indices]
    table = Table("pointing / energy", *kinds)
    for way, figures in found.items():
        table.add_row(way, *(f"{hit:.2f} / {share:.2f}" for hit, share in figures.values()))
    Console(width=120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())

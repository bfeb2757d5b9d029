"""The graph that is served: calibrated probabilities, a heatmap a class, and the distance.

The heatmap is made of two. Grad-CAM (Selvaraju et al. 2017) weighs the channels of the last feature
map by the gradient of a class's logit; under the shared head that is
`((h > 0) · W2[:, c]) W1ᵀ / (rows · columns)`. LayerCAM (Jiang et al. 2021) weighs each place of an
earlier, detailed map by its own gradient, where that is positive. The first says roughly where the
class is, the second shows its outline: the heatmap is the second, times the first scaled to 1.

The distance is Mahalanobis' to the nearest class (Lee et al. 2018), of the detailed map's averages:
of the last map's less is left of what sets pictures apart that are no brain.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf

from gyrus.imaging import SIZE
from training_jobs.backward import LastStage
from training_jobs.models.head import HIDDEN, LOGITS

IMAGES = [tf.TensorSpec((None, SIZE, SIZE, 1), tf.uint8, name="images")]
TINY = 1e-12


@dataclass(frozen=True)
class FeatureSpace:
    """Class means (K, D), and the matrix (D, D) that whitens pooled features around them."""

    means: NDArray[np.float32]
    whitening: NDArray[np.float32]

    @classmethod
    def fit(
        cls, pooled: NDArray[np.float32], labels: NDArray[np.int64], classes: int
    ) -> "FeatureSpace":
        """Fit to pooled features (N, D): one mean a class, one shared, shrunk covariance."""
        overall = pooled.mean(0)
        means = np.stack(
            [
                pooled[labels == k].mean(0) if (labels == k).any() else overall
                for k in range(classes)
            ]
        )
        covariance = LedoitWolf(assume_centered=True).fit(pooled - means[labels]).covariance_
        values, vectors = np.linalg.eigh(covariance.astype(np.float64))
        floor = max(float(values.max()) * 1e-6, 1e-12)
        whitening = vectors / np.sqrt(np.maximum(values, floor))
        return cls(means.astype(np.float32), whitening.astype(np.float32))

    def distances(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        """The distance (N,) of pooled features (N, D) to the nearest class."""
        white = (pooled @ self.whitening)[:, None, :] - (self.means @ self.whitening)[None]
        return np.asarray(np.sqrt((white**2).sum(-1).min(-1)), np.float32)


def pooling_function(model: keras.Model) -> Any:
    """The `tf.function` from images to the pooled last map (N, D) and the detailed one (N, E)."""
    stage = LastStage(model)

    def pool(images: Any) -> tuple[Any, Any]:
        detailed, maps, _ = stage.run(images)
        return tf.reduce_mean(maps, axis=[1, 2]), tf.reduce_mean(detailed, axis=[1, 2])

    return tf.function(pool, input_signature=IMAGES, autograph=False)


def serving_function(model: keras.Model, temperature: float, space: FeatureSpace) -> Any:
    """The `tf.function` that is exported.

    From uint8 images (N, 224, 224, 1) to a dictionary: probabilities (N, K), cam (N, K, h, w) and
    distance (N,).
    """
    stage = LastStage(model)
    w1, b1 = model.get_layer(HIDDEN).get_weights()
    w2, b2 = model.get_layer(LOGITS).get_weights()
    white_means = space.means @ space.whitening

    def serve(images: Any) -> dict[str, Any]:
        detailed, maps, values = stage.run(images)
        pooled = tf.reduce_mean(maps, axis=[1, 2])
        before = tf.matmul(pooled, w1) + b1
        logits = tf.matmul(tf.nn.relu(before), w2) + b2
        probabilities = tf.nn.softmax(logits / temperature)

        active = tf.cast(before > 0, tf.float32)
        by_hidden = active[:, None, :] * w2.T[None]
        flat = tf.reshape(by_hidden, (-1, w1.shape[1]))
        rows, columns, channels = maps.shape[1:]
        alpha = tf.matmul(flat, w1, transpose_b=True) / float(rows * columns)
        alpha = tf.reshape(alpha, (-1, w2.shape[1], channels))
        flat_maps = tf.reshape(maps, (-1, rows * columns, channels))
        coarse = tf.reshape(
            tf.nn.relu(tf.matmul(alpha, flat_maps, transpose_b=True)),
            (-1, w2.shape[1], rows, columns),
        )
        everywhere = alpha[:, :, None, None, :] * np.ones((1, 1, rows, columns, 1), np.float32)
        fine = tf.reduce_sum(tf.nn.relu(stage.back(everywhere, values)) * detailed[:, None], -1)
        highest = tf.reduce_max(coarse, axis=[2, 3], keepdims=True)
        cam = fine * _enlarge(coarse / tf.maximum(highest, TINY), fine.shape[2], fine.shape[3])

        described = tf.reduce_mean(detailed, axis=[1, 2])
        offsets = tf.matmul(described, space.whitening)[:, None, :] - white_means[None]
        squared = tf.reduce_min(tf.reduce_sum(offsets * offsets, axis=-1), axis=-1)
        return {
            "probabilities": tf.identity(probabilities, "probabilities"),
            "cam": tf.identity(cam, "cam"),
            "distance": tf.sqrt(squared, "distance"),
        }

    return tf.function(serve, input_signature=IMAGES, autograph=False)


def _enlarge(maps: Any, rows: int, columns: int) -> Any:
    """Maps (N, K, h, w) in more rows and columns, interpolated linearly."""
    down, across = (
        cv2.resize(np.eye(few, dtype=np.float32), (few, many), interpolation=cv2.INTER_LINEAR)
        for few, many in ((maps.shape[2], rows), (maps.shape[3], columns))
    )
    return tf.matmul(tf.matmul(down, maps), across, transpose_b=True)

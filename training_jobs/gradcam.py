"""The graph that is served: calibrated probabilities, Grad-CAM in closed form, and the distance.

Grad-CAM (Selvaraju et al. 2017) weighs the channels of the last feature map by the gradient of a
class's logit. Under the shared head that gradient is `((h > 0) · W2[:, c]) W1ᵀ / (rows · columns)`,
so no tape is needed. The distance is Mahalanobis' to the nearest class (Lee et al. 2018).
"""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf

from gyrus.imaging import SIZE
from training_jobs.models.head import FEATURES, HIDDEN, LOGITS


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


def feature_model(model: keras.Model) -> keras.Model:
    """The part of a model that makes the last feature map (N, rows, columns, channels)."""
    return keras.Model(model.input, model.get_layer(FEATURES).output)


def serving_function(model: keras.Model, temperature: float, space: FeatureSpace) -> Any:
    """The `tf.function` that is exported.

    From uint8 images (N, 224, 224, 1) to a dictionary: probabilities (N, K), cam (N, K, h, w) and
    distance (N,).
    """
    features = feature_model(model)
    w1, b1 = model.get_layer(HIDDEN).get_weights()
    w2, b2 = model.get_layer(LOGITS).get_weights()
    _, rows, columns, channels = features.output_shape
    white_means = space.means @ space.whitening

    def serve(images: Any) -> dict[str, Any]:
        maps = features(images, training=False)
        pooled = tf.reduce_mean(maps, axis=[1, 2])
        before = tf.matmul(pooled, w1) + b1
        logits = tf.matmul(tf.nn.relu(before), w2) + b2
        probabilities = tf.nn.softmax(logits / temperature)

        active = tf.cast(before > 0, tf.float32)
        by_hidden = active[:, None, :] * w2.T[None]
        flat = tf.reshape(by_hidden, (-1, w1.shape[1]))
        alpha = tf.matmul(flat, w1, transpose_b=True) / float(rows * columns)
        alpha = tf.reshape(alpha, (-1, w2.shape[1], channels))
        weighted = tf.matmul(
            alpha, tf.reshape(maps, (-1, rows * columns, channels)), transpose_b=True
        )
        cam = tf.reshape(tf.nn.relu(weighted), (-1, w2.shape[1], rows, columns))

        offsets = tf.matmul(pooled, space.whitening)[:, None, :] - white_means[None]
        squared = tf.reduce_min(tf.reduce_sum(offsets * offsets, axis=-1), axis=-1)
        return {
            "probabilities": tf.identity(probabilities, "probabilities"),
            "cam": tf.identity(cam, "cam"),
            "distance": tf.sqrt(squared, "distance"),
        }

    signature = [tf.TensorSpec((None, SIZE, SIZE, 1), tf.uint8, name="images")]
    return tf.function(serve, input_signature=signature)

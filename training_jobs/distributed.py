"""One model on a group of workers: what `model.fit` would do, were it to work under Keras 3.

`model.fit` fails under MultiWorkerMirroredStrategy (keras-team/keras#20585), so the step, the
all-reduce and the sharded prediction stand here.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

BYTES_PER_PACK = 32 * 1024 * 1024
"""Gradients travel in packs of this size; unpacked, each variable is an all-reduce of its own."""


def make_strategy() -> Any:
    """The strategy over the workers that `TF_CONFIG` names, one replica a worker."""
    options = tf.distribute.experimental.CommunicationOptions(bytes_per_pack=BYTES_PER_PACK)
    return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)


class DistributedModel:
    """A model and its optimizer, mirrored on each worker of a strategy.

    Every method is collective: all workers must call it, in the same order.
    """

    def __init__(self, strategy: Any, model: keras.Model, optimizer: Any) -> None:
        self.model, self.optimizer = model, optimizer
        self._strategy = strategy
        self._step: Any = None
        self._forward = tf.function(self._forward_step)

    def train_on(self, variables: Sequence[Any], global_batch: int) -> None:
        """From now on, steps train `variables`, with batches of `global_batch` over all workers."""

        def replica_step(images: Any, labels: Any, weights: Any) -> Any:
            with tf.GradientTape() as tape:
                logits = self.model(images, training=True)
                losses = keras.losses.sparse_categorical_crossentropy(
                    labels, logits, from_logits=True
                )
                loss = tf.reduce_sum(losses * weights) / global_batch
            gradients = tape.gradient(loss, [variable.value for variable in variables])
            context = tf.distribute.get_replica_context()
            summed = context.all_reduce(tf.distribute.ReduceOp.SUM, [*gradients, loss])
            self.optimizer.apply(summed[:-1], list(variables))
            return summed[-1]

        def step(images: Any, labels: Any, weights: Any) -> Any:
            return self._strategy.run(replica_step, args=(images, labels, weights))

        self._step = tf.function(step)

    def step(self, images: Any, labels: Any, weights: Any) -> float:
        """Train on this worker's share of a batch; returns the loss over the whole batch."""
        return float(self._step(images, labels, weights))

    def average_statistics(self) -> None:
        """Average batch normalisation's moving statistics over the workers."""
        statistics = [v for v in self.model.non_trainable_variables if v.dtype == "float32"]
        if not statistics or self._strategy.num_replicas_in_sync == 1:
            return

        def reduce() -> Any:
            context = tf.distribute.get_replica_context()
            # A read variable has no device of its own, and without one it cannot be reduced.
            values = [tf.identity(v.value) for v in statistics]
            return context.all_reduce(tf.distribute.ReduceOp.MEAN, values)

        means = tf.function(lambda: self._strategy.run(reduce))()
        for variable, value in zip(statistics, means, strict=True):
            variable.assign(value)

    def predict(
        self, images: NDArray[np.uint8], rows: NDArray[np.int64], *, rank: int, batch: int
    ) -> NDArray[np.float32]:
        """Logits (len(rows), classes) of some rows; each worker computes its part, all get all."""
        world = self._strategy.num_replicas_in_sync
        share = -(-len(rows) // world)
        mine = np.resize(rows, share * world)[rank * share : (rank + 1) * share]
        parts = [
            self._forward(tf.constant(images[mine[start : start + batch]][..., None]))
            for start in range(0, share, batch)
        ]
        gathered = np.concatenate([np.asarray(part) for part in parts], axis=1)
        return gathered.reshape(share * world, -1)[: len(rows)]

    def _forward_step(self, images: Any) -> Any:
        """The logits of every worker's images: (world, n, classes)."""

        def forward() -> Any:
            logits = self.model(images, training=False)
            context = tf.distribute.get_replica_context()
            return context.all_gather(logits[None], axis=0)

        return self._strategy.run(forward)

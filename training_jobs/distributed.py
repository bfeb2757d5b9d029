"""One model on a group of workers: what `model.fit` would do, were it to work under Keras 3.

`model.fit` fails under MultiWorkerMirroredStrategy (keras-team/keras#20585), so the step, the
all-reduce and the sharded computation stand here.
"""

from collections.abc import Sequence
from typing import Any

import joblib
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from gyrus.errors import InputError
from training_jobs.average import MovingAverage
from training_jobs.config import TrainConfig
from training_jobs.models import build
from training_jobs.models.norm import fuse_norms

BYTES_PER_PACK = 32 * 1024 * 1024
"""Gradients travel in packs of this size; unpacked, each variable is an all-reduce of its own."""


STATISTICS = {"moving_mean", "moving_variance"}
"""Keras' names for what batch normalisation remembers of all batches."""


def share_machine(workers: int, rank: int = 0) -> None:
    """Take this process' share of the machine, as the `rank`th of so many workers on it.

    That are some of the processors, and one GPU: TensorFlow would take all that it sees.

    Raises:
        InputError: there are GPUs, but fewer than workers.
    """
    threads = max(1, joblib.cpu_count() // workers)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    if gpus := tf.config.list_physical_devices("GPU"):
        if workers > len(gpus):
            raise InputError(
                f"A worker needs a GPU of its own: {workers} workers came to a machine with "
                f"{len(gpus)}. Ask for fewer workers, or for machines with more GPUs."
            )
        tf.config.set_visible_devices(gpus[rank], "GPU")


def make_strategy() -> Any:
    """The strategy over the workers that `TF_CONFIG` names, one replica a worker."""
    options = tf.distribute.experimental.CommunicationOptions(bytes_per_pack=BYTES_PER_PACK)
    return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)


def distribute(config: TrainConfig, classes: int) -> "DistributedModel":
    """What a recipe trains, on the workers that `TF_CONFIG` names."""
    strategy = make_strategy()
    with strategy.scope():
        model = fuse_norms(build(config, classes))
        optimizer = keras.optimizers.Adam(config.learning_rate)
        optimizer.build(model.trainable_variables)
    return DistributedModel(strategy, model, optimizer)


class DistributedModel:
    """A model, its optimizer and the average of its weights, on each worker of a strategy.

    Every method is collective: all workers must call it, in the same order.
    """

    def __init__(self, strategy: Any, model: keras.Model, optimizer: Any) -> None:
        self.model, self.optimizer, self.average = model, optimizer, MovingAverage(model)
        self._strategy = strategy
        self._step: Any = None
        self._forwards: dict[str, Any] = {}
        pairs = zip(model.weights, self.average.variables, strict=True)
        found = [(one.value, average) for one, average in pairs if one.name in STATISTICS]
        self._statistics = [variable for pair in found for variable in pair]

        def reduce() -> Any:
            context = tf.distribute.get_replica_context()
            # A read variable has no device of its own, and without one it cannot be reduced.
            values = [tf.identity(variable) for variable in self._statistics]
            return context.all_reduce(tf.distribute.ReduceOp.MEAN, values)

        self._means = tf.function(lambda: strategy.run(reduce))

    def train_on(self, part: keras.Model, variables: Sequence[Any], global_batch: int) -> None:
        """From now on, steps train `variables` of `part`, which ends in the model's logits.

        Batches have `global_batch` inputs over all workers.
        """

        def replica_step(inputs: Any, allowed: Any, weights: Any, sign: Any) -> Any:
            with tf.GradientTape() as tape:
                losses = allowed_loss(part(inputs, training=True), allowed)
                loss = tf.reduce_sum(losses * weights) / global_batch
            gradients = tape.gradient(loss, [variable.value for variable in variables])
            # It sums them over the workers.
            self.optimizer.apply(gradients, list(variables))
            context = tf.distribute.get_replica_context()
            # What comes from outside has no device yet, and without one it cannot be reduced.
            return context.all_reduce(tf.distribute.ReduceOp.SUM, [loss, tf.identity(sign)])

        def step(inputs: Any, allowed: Any, weights: Any, sign: Any) -> Any:
            return self._strategy.run(replica_step, args=(inputs, allowed, weights, sign))

        self._step = tf.function(step)

    def step(
        self, inputs: Any, allowed: Any, weights: Any, *, sign: bool = False
    ) -> tuple[float, bool]:
        """Train on this worker's share of a batch.

        Returns the loss over the whole batch, and whether any of the workers gave a `sign`.
        """
        loss, signs = self._step(inputs, allowed, weights, tf.constant(sign, tf.float32))
        return float(loss), bool(signs)

    def reset_optimizer(self) -> None:
        """Let the optimizer forget its steps, and what it has learned of its variables."""
        for variable in self.optimizer.variables:
            if variable.name != "learning_rate":
                variable.assign(np.zeros(variable.shape, variable.dtype))

    def average_statistics(self) -> None:
        """Average batch normalisation's moving statistics over the workers, and their averages."""
        if self._statistics and self._strategy.num_replicas_in_sync > 1:
            for variable, mean in zip(self._statistics, self._means(), strict=True):
                variable.assign(mean)

    def compute(
        self,
        part: keras.Model,
        inputs: NDArray[Any],
        rows: NDArray[np.int64],
        *,
        rank: int,
        batch: int,
    ) -> NDArray[np.float32]:
        """What `part` makes (len(rows), D) of some inputs; each worker computes a share of them."""
        world = self._strategy.num_replicas_in_sync
        share = -(-len(rows) // world)
        mine = np.resize(rows, share * world)[rank * share : (rank + 1) * share]
        if part.name not in self._forwards:
            self._forwards[part.name] = self._forward(part)
        forward = self._forwards[part.name]
        parts = [
            np.asarray(forward(tf.constant(inputs[mine[start : start + batch]])))
            for start in range(0, share, batch)
        ]
        gathered = np.concatenate(parts, axis=1)
        return gathered.reshape(share * world, -1)[: len(rows)]

    def _forward(self, part: keras.Model) -> Any:
        def gather(some: Any) -> Any:
            """What every worker made: (world, n, D)."""
            context = tf.distribute.get_replica_context()
            made = tf.cast(part(some, training=False), tf.float32)
            return context.all_gather(made[None], axis=0)

        return tf.function(lambda some: self._strategy.run(gather, args=(some,)))


def allowed_loss(logits: Any, allowed: Any) -> Any:
    """The loss (n,) of logits (n, K): -log of the summed probability of the allowed classes.

    For an image of which the class is known this is cross-entropy.
    """
    logits = tf.cast(logits, tf.float32)
    possible = tf.where(allowed, logits, logits.dtype.min)
    return tf.reduce_logsumexp(logits, axis=1) - tf.reduce_logsumexp(possible, axis=1)

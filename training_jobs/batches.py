"""Which images each worker sees at each step, the same however often a run is interrupted."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import Any

import cv2
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from gyrus.datasets import Dataset
from training_jobs.augment import DRAWS, Strength, augment

Batch = tuple[tf.Tensor, tf.Tensor, tf.Tensor]

ORDER, AUGMENTATION = 0, 1
"""What numbers are drawn for: one seed gives each use a stream of its own."""

LEAST_STEPS = 32
"""An epoch of a small dataset passes it more than once: patience, the learning rate's plateaus and
batch normalisation all count epochs, and after five steps there is nothing to judge yet."""

THREADS = AHEAD = 8
"""So many batches are made while one trains, by so many threads: OpenCV lets them run at once."""


def steps_per_epoch(images: int, batch: int) -> int:
    """How many steps of the whole group make an epoch."""
    return max(-(-images // batch), LEAST_STEPS)


def label_weights(sources: NDArray[np.str_], labels: NDArray[np.str_]) -> NDArray[np.float32]:
    """The weight of each image (N,) under which every label of a source counts the same."""
    weights = np.empty(len(labels), np.float32)
    for source in np.unique(sources):
        mine = np.flatnonzero(sources == source)
        _, which, counts = np.unique(labels[mine], return_inverse=True, return_counts=True)
        weights[mine] = len(mine) / (len(counts) * counts[which])
    return weights


class TrainBatches:
    """The training split in seeded order, cut into this rank's share of each global batch.

    Each batch holds as many images of each source, however large they are. The last batch of an
    epoch is filled up from a further pass. Order and augmentation depend on the seed, the epoch and
    the place in it only, so a resumed epoch is the epoch that was lost.
    """

    def __init__(
        self, dataset: Dataset, strength: Strength, *, batch: int, rank: int, world: int, seed: int
    ) -> None:
        cv2.setNumThreads(1)  # of its own: images are small, and there are THREADS of them at once
        self.rows = dataset.split("train")
        self.steps = steps_per_epoch(len(self.rows), batch)
        self._images = np.asarray(dataset.images)  # a row of which is at hand faster
        self._allowed = dataset.allowed[self.rows]
        self._sources = dataset.sources[self.rows]
        labels = np.array(dataset.column("label"))[self.rows]
        self._weights = label_weights(self._sources, labels)
        self._strength = strength
        self._batch, self._seed = batch, seed
        self._mine = np.array_split(np.arange(batch), world)[rank]
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="batches")
        self._begun: tuple[tuple[int, int, bool], deque[Future[Batch]]] | None = None

    def epoch(
        self, number: int, *, start: int = 0, features: NDArray[np.float32] | None = None
    ) -> Iterator[Batch]:
        """Yield inputs, the classes that each allows (n, K), and weights (n,), from step `start`.

        The inputs are augmented images (n, 224, 224, 1) uint8, or else `features`, of which there
        is one for each of `rows`. When it ends, the next epoch's first batches are under way.
        """
        begun, self._begun = self._begun, None
        asked = number, start, features is None
        waiting: deque[Future[Batch]] = begun[1] if begun and begun[0] == asked else deque()
        steps = [(number, step) for step in range(start + len(waiting), self.steps)]
        following = [(number + 1, step) for step in range(AHEAD)]
        orders = {epoch: self._order(epoch) for epoch in (number, number + 1)}
        for epoch, step in chain(steps, following):
            made = self._pool.submit(self._make, orders[epoch], epoch, step, features)
            waiting.append(made)
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        self._begun = (number + 1, 0, features is None), waiting

    def _make(
        self,
        order: NDArray[np.int64],
        epoch: int,
        step: int,
        features: NDArray[np.float32] | None,
    ) -> Batch:
        chosen = order[step * self._batch + self._mine]
        if features is not None:
            inputs: NDArray[Any] = features[chosen]
        else:
            rng = np.random.default_rng([self._seed, AUGMENTATION, epoch, step])
            draws = rng.random((self._batch, DRAWS))[self._mine]
            images = [self._images[row] for row in self.rows[chosen]]
            inputs = augment(images, draws, self._strength)[..., None]
        # Here, so that a thread that has time to wait copies them to the accelerator.
        batch = inputs, self._allowed[chosen], self._weights[chosen]
        return tuple(map(tf.constant, batch))

    def _order(self, epoch: int) -> NDArray[np.int64]:
        """Which of `rows` is at each place of an epoch; the sources take turns."""
        names = np.unique(self._sources)
        total = self.steps * self._batch
        order = np.empty(total, np.int64)
        for turn, name in enumerate(names):
            mine = np.flatnonzero(self._sources == name)
            rng = np.random.default_rng([self._seed, ORDER, epoch, turn])
            places = order[turn :: len(names)]
            passes = -(-len(places) // len(mine))
            places[:] = np.concatenate([rng.permutation(mine) for _ in range(passes)])[
                : len(places)
            ]
        return order

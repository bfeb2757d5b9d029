"""Which images each worker sees at each step, the same however often a run is interrupted."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gyrus.datasets import Dataset
from training_jobs.augment import augment

Batch = tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.float32]]

LEAST_STEPS = 32
"""An epoch of a small dataset passes it more than once: patience, the learning rate's plateaus and
batch normalisation all count epochs, and after five steps there is nothing to judge yet."""


def steps_per_epoch(images: int, batch: int) -> int:
    """How many steps of the whole group make an epoch."""
    return max(-(-images // batch), LEAST_STEPS)


def class_weights(labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """Weights (classes,) under which every class counts the same; 0 for one without images."""
    counts = np.bincount(labels, minlength=classes)
    weights = labels.size / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return np.where(counts > 0, weights, 0).astype(np.float32)


class TrainBatches:
    """The training split in seeded order, cut into this rank's share of each global batch.

    The last batch of an epoch is filled up from a further pass. Order and augmentation depend on
    the seed, the epoch and the place in it only, so a resumed epoch is the epoch that was lost.
    """

    def __init__(self, dataset: Dataset, *, batch: int, rank: int, world: int, seed: int) -> None:
        self._dataset = dataset
        self._rows = dataset.split("train")
        self._batch, self._rank, self._world, self._seed = batch, rank, world, seed
        self._weights = class_weights(dataset.labels[self._rows], len(dataset.classes))
        self.steps = steps_per_epoch(len(self._rows), batch)

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield images (n, 224, 224, 1), labels (n,) and sample weights (n,) of each step."""
        total = self.steps * self._batch
        rng = np.random.default_rng([self._seed, number])
        passes = -(-total // len(self._rows))
        order = np.concatenate([rng.permutation(self._rows) for _ in range(passes)])[:total]
        for places in np.arange(total).reshape(self.steps, self._batch):
            mine = np.array_split(places, self._world)[self._rank]
            labels = self._dataset.labels[order[mine]]
            images = np.stack([self._augmented(number, place, order[place]) for place in mine])
            yield images[..., None], labels.astype(np.int32), self._weights[labels]

    def _augmented(self, epoch: int, place: int, row: int) -> NDArray[np.uint8]:
        rng = np.random.default_rng([self._seed, epoch, place])
        return augment(np.asarray(self._dataset.images[row]), rng)

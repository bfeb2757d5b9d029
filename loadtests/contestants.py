"""`python -m loadtests.contestants`: one of those that `loadtests.bench train` lets compete.

Says `ready` when all is built and traced. Then each line of its standard input is how many steps it
is to do, and the answer how many seconds they took.
"""

import argparse
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, count, islice
from pathlib import Path

import keras
import tensorflow as tf
from upath import UPath

from gyrus.datasets import Dataset
from training_jobs.augment import SHIFT, WEAK
from training_jobs.batches import Batch, TrainBatches
from training_jobs.config import TrainConfig
from training_jobs.distributed import DistributedModel, distribute, share_machine
from training_jobs.models import build

WARM_UP = 3
ALPHA = 0.35

Steps = Callable[[int], object]
"""Does so many steps."""


def fresh(batches: TrainBatches) -> Callable[[int], Iterator[Batch]]:
    """Makes so many batches, of as many epochs as it takes, none of them made ahead before."""
    epochs = count()
    return lambda number: islice(chain.from_iterable(map(batches.epoch, epochs)), number)


def prepare(
    dataset: Dataset, config: TrainConfig, rank: int
) -> tuple[DistributedModel, Callable[[int], Iterator[Batch]]]:
    """What Gyrus' loop trains, from scratch, and what makes so many batches for it."""
    group = distribute(config, len(dataset.classes))
    group.train_on(group.model, group.model.trainable_variables, config.batch)
    return group, fresh(_batches(dataset, config, rank))


def train(group: DistributedModel, batches: Iterable[Batch]) -> None:
    """Take the steps of Gyrus' loop."""
    for number, batch in enumerate(batches, start=1):
        group.step(*batch)
        group.average.join(number)


def gyrus(dataset: Dataset, config: TrainConfig, rank: int) -> Steps:
    """Gyrus' own loop, on the workers that `TF_CONFIG` names."""
    group, batches = prepare(dataset, config, rank)
    return lambda number: train(group, batches(number))


def input_alone(dataset: Dataset, config: TrainConfig, rank: int) -> Steps:
    """The batches of Gyrus' loop, made and thrown away."""
    batches = fresh(_batches(dataset, config, rank))
    return lambda number: deque(batches(number), 0)


def keras_fit(dataset: Dataset, config: TrainConfig, rank: int) -> Steps:
    """The same model as the guides of Keras train it: `fit` on images that its layers augment.

    The layers stand in `tf.data`, where they run beside the training. XLA, which `fit` would take
    by itself, is off: on CPUs it makes this model many times slower.
    """
    augmentation = keras.Sequential(
        [
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomRotation(WEAK.degrees / 360, fill_mode="constant"),
            keras.layers.RandomTranslation(SHIFT, SHIFT, fill_mode="constant"),
            keras.layers.RandomZoom(WEAK.zoom, fill_mode="constant"),
            keras.layers.RandomBrightness(WEAK.brightness, value_range=(0, 255)),
        ]
    )
    rows = dataset.split("train")
    images = (
        tf.data.Dataset.from_tensor_slices((dataset.images[rows, ..., None], dataset.labels[rows]))
        .shuffle(len(rows))
        .repeat()
        .batch(config.batch)
        .map(lambda x, y: (augmentation(x, training=True), y), tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )
    model = build(config, len(dataset.classes))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(config.learning_rate), loss, jit_compile=False)
    return lambda number: model.fit(images, steps_per_epoch=number, shuffle=False, verbose=0)


def _batches(dataset: Dataset, config: TrainConfig, rank: int) -> TrainBatches:
    return TrainBatches(
        dataset, WEAK, batch=config.batch, rank=rank, world=config.workers, seed=config.seed
    )


CONTESTANTS = {"gyrus": gyrus, "input": input_alone, "keras": keras_fit}


def main() -> None:
    """Be one of them until the standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.contestants", description=__doc__)
    parser.add_argument("contestant", choices=sorted(CONTESTANTS))
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--model", default="mobilenetv2")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rank", type=int, default=0)
    given = parser.parse_args()
    config = TrainConfig(
        run="bench",
        dataset=UPath(given.dataset),
        storage=UPath(given.dataset),
        model=given.model,
        alpha=ALPHA,
        workers=given.workers,
    )
    share_machine(given.workers, given.rank)
    steps = CONTESTANTS[given.contestant](Dataset.open(given.dataset), config, given.rank)
    steps(WARM_UP)
    print("ready", flush=True)
    for line in sys.stdin:
        began = time.perf_counter()
        steps(int(line))
        print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main()

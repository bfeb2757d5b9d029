"""`python -m loadtests.gpu`: how fast each architecture trains on this machine's GPU.

In float32 and in bfloat16, with the loop's own input, and how much longer that takes than steps on
one batch that is on the GPU already.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import get_args

import keras
import tensorflow as tf
from upath import UPath

from gyrus import phantom
from gyrus.recipe import Architecture, Precision
from loadtests.contestants import ALPHA, WARM_UP, prepare, train
from loadtests.training import PATIENTS
from training_jobs.batches import Batch
from training_jobs.config import TrainConfig
from training_jobs.distributed import share_machine

ROUNDS = 5
PRECISIONS: tuple[Precision, ...] = ("float32", "mixed_bfloat16")


@dataclass(frozen=True)
class Pace:
    """How fast a model trains, in images a second, and the share of time it waits for input."""

    rate: float
    waiting: float


def pace(config: TrainConfig, steps: int) -> Pace:
    """Train from scratch, in turn on the loop's input and on one batch that is at hand."""
    keras.config.set_dtype_policy(config.precision)
    group, batches = prepare(config.open_dataset(), config, 0)

    def seconds(given: Iterable[Batch]) -> float:
        began = time.perf_counter()
        train(group, given)
        return time.perf_counter() - began

    at_hand = list(batches(1)) * steps
    seconds(at_hand[:WARM_UP])
    rounds = [(seconds(batches(steps)), seconds(at_hand)) for _ in range(ROUNDS)]
    rate = config.batch * steps / median(fed for fed, _ in rounds)
    return Pace(rate, median(1 - alone / fed for fed, alone in rounds))


def paces(batch: int, steps: int) -> Iterator[tuple[TrainConfig, Pace]]:
    """The pace of each architecture in each precision, on generated images."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = UPath(phantom.generate(Path(folder), patients=PATIENTS).folder)
        for model, precision in product(get_args(Architecture), PRECISIONS):
            config = TrainConfig(
                run="bench",
                dataset=dataset,
                storage=dataset,
                model=model,
                alpha=ALPHA,
                batch=batch,
                precision=precision,
            )
            # In a process of its own, or it would keep the GPU's memory.
            with ProcessPoolExecutor(
                1, mp_context=get_context("spawn"), initializer=share_machine, initargs=(1,)
            ) as process:
                yield config, process.submit(pace, config, steps).result()


def main() -> int:
    """Measure and print; 2 where there is no GPU."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.gpu", description=__doc__)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=64, help=f"of each of {ROUNDS} rounds")
    given = parser.parse_args()
    found = tf.config.list_physical_devices("GPU")
    if not found:
        print("TensorFlow finds no GPU here.", file=sys.stderr)
        return 2
    name = tf.config.experimental.get_device_details(found[0]).get("device_name", "a GPU")
    print(f"{name}, batches of {given.batch}")
    for config, one in paces(given.batch, given.steps):
        rate, waiting = f"{one.rate:6.0f} images/s", f"{one.waiting:.1%} of the time for input"
        print(f"{config.model:12} {config.precision:15} {rate}, waiting {waiting}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The loop that each worker of a Ray Train group runs."""

import math
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from ray import train
from ray.util.queue import Queue
from sklearn.metrics import roc_auc_score

from gyrus.datasets import open_dataset
from gyrus.evaluation.calibration import log_loss, softmax
from gyrus.evaluation.outcomes import tumour_probability
from gyrus.progress import Kind, Progress
from gyrus.settings import PlatformSettings
from training_jobs.batches import TrainBatches
from training_jobs.checkpoint import State
from training_jobs.config import TrainConfig
from training_jobs.distributed import DistributedModel, make_strategy
from training_jobs.models import build
from training_jobs.models.head import head_part, pooling_part
from training_jobs.schedule import Schedule

FINE_TUNING_FACTOR = 0.1
"""The learning rate is multiplied by this when a pretrained base starts to train."""

AVERAGE_STEPS = 100
"""The moving average of the weights forgets a step after about so many others.

What single steps do to the weights of a small dataset's model is mostly noise: on folds of 203 real
images the AUROC swung by 0.2 from epoch to epoch, that of the average (Polyak & Juditsky 1992) by a
tenth of it.
"""

EVALUATION_BATCH = 64
STEP_EVERY_S = 1.0


def train_loop(given: dict[str, Any]) -> None:
    """Train until the last epoch or early stopping; a checkpoint an epoch.

    `given` holds a `TrainConfig` as JSON values, `config`, and the queue of `events`. It goes on
    from the run's last checkpoint where Ray Train has one: after a lost worker, and when a run is
    resumed.
    """
    config = TrainConfig.model_validate(given["config"])
    context = train.get_context()
    threads = max(1, (os.cpu_count() or 1) // context.get_local_world_size())
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    keras.utils.set_random_seed(config.seed)
    rank, world = context.get_world_rank(), context.get_world_size()
    Worker(config, given["events"], rank=rank, world=world).run()


@dataclass(frozen=True)
class Stage:
    """A part of a run: what trains, on features if not on images, and what it is validated on."""

    frozen: bool
    part: keras.Model
    features: NDArray[np.float32] | None
    validation: NDArray[Any]
    validation_rows: NDArray[np.int64]


class Worker:
    """One worker's part of a run."""

    def __init__(self, config: TrainConfig, events: Queue, *, rank: int, world: int) -> None:
        self._config, self._events, self._rank = config, events, rank
        self._dataset = open_dataset(config.dataset, PlatformSettings().home)
        self._batches = TrainBatches(
            self._dataset, batch=config.batch, rank=rank, world=world, seed=config.seed
        )
        self._validation = self._dataset.split("validation")
        strategy = make_strategy()
        with strategy.scope():
            model = build(config, len(self._dataset.classes))
            optimizer = keras.optimizers.Adam(config.learning_rate)
            optimizer.build(model.trainable_variables)
        self._group = DistributedModel(strategy, model, optimizer)
        self._schedule = Schedule(config.learning_rate, config.patience)
        self._average = self._best = model.get_weights()
        self._epochs_done = 0
        self._history: list[Progress] = []
        self._epoch_seconds: list[float] = []

    def run(self) -> None:
        """Train from the last checkpoint, or from the start, to the end."""
        self._restore()
        stage: Stage | None = None
        while self._epochs_done < self._config.epochs and not self._schedule.stop:
            frozen = self._config.pretrained and self._epochs_done < self._config.frozen_epochs
            if stage is None or stage.frozen != frozen:
                stage = self._stage(frozen=frozen)
                self._group.train_on(stage.part, stage.part.trainable_variables, self._config.batch)
            self._run_epoch(stage)

    def _stage(self, *, frozen: bool) -> "Stage":
        """What trains on what: all on images, or the head of a base that rests on its features.

        Nothing of the base changes then, nor do the images, so features are computed once.
        """
        model, images = self._group.model, self._dataset.images[..., None]
        if not frozen:
            return Stage(frozen, model, None, images, self._validation)
        base = pooling_part(model)
        trained, validation = (
            self._group.compute(base, images, rows, rank=self._rank, batch=EVALUATION_BATCH)
            for rows in (self._batches.rows, self._validation)
        )
        places = np.arange(len(validation))
        return Stage(frozen, head_part(model), trained, validation, places)

    def _run_epoch(self, stage: "Stage") -> None:
        tuning = self._config.pretrained and not stage.frozen
        factor = FINE_TUNING_FACTOR if tuning else 1.0
        self._group.optimizer.learning_rate = self._schedule.learning_rate * factor
        started = told = time.monotonic()
        losses: list[float] = []
        for batch in self._batches.epoch(self._epochs_done, features=stage.features):
            losses.append(self._group.step(*batch))
            if time.monotonic() - told > STEP_EVERY_S:
                told = time.monotonic()
                rate = self._config.batch * len(losses) / (told - started)
                self._tell("step", loss=losses[-1], rate=rate, left_s=self._left(len(losses), rate))
        rate = self._config.batch * len(losses) / (time.monotonic() - started)
        self._group.average_statistics()
        self._average_weights()
        metrics = self._validate(stage)
        self._schedule.observe(metrics["val_loss"])
        if self._schedule.improved:
            self._best = self._average
        self._epochs_done += 1
        self._epoch_seconds.append(time.monotonic() - started)
        metrics |= {"loss": float(np.mean(losses)), "rate": rate}
        left = self._left(0, rate)
        epoch = self._tell("epoch", loss=metrics["loss"], metrics=metrics, rate=rate, left_s=left)
        self._history.append(epoch)
        self._save(metrics)

    def _average_weights(self) -> None:
        weights = self._group.model.get_weights()
        if self._epochs_done:
            old = math.exp(-self._batches.steps / AVERAGE_STEPS)
            pairs = zip(self._average, weights, strict=True)
            self._average = [old * before + (1 - old) * now for before, now in pairs]
        else:
            self._average = weights

    def _validate(self, stage: "Stage") -> dict[str, float]:
        """The figures of the averaged weights on the validation split."""
        model = self._group.model
        weights = model.get_weights()
        model.set_weights(self._average)
        logits = self._group.compute(
            stage.part,
            stage.validation,
            stage.validation_rows,
            rank=self._rank,
            batch=EVALUATION_BATCH,
        )
        model.set_weights(weights)
        probabilities = softmax(logits)
        allowed = self._dataset.allowed[self._validation]
        labels = self._dataset.labels[self._validation]
        truth = self._dataset.truth[self._validation]
        tumour = tumour_probability(probabilities, self._dataset.tumour_indices)
        metrics = {"val_loss": log_loss(probabilities, allowed)}
        if (labels >= 0).any():
            metrics["val_accuracy"] = float(
                np.mean((probabilities.argmax(1) == labels)[labels >= 0])
            )
        if truth.any() and not truth.all():
            metrics["val_auroc"] = float(roc_auc_score(truth, tumour))
        return metrics

    def _restore(self) -> None:
        checkpoint = train.get_checkpoint()
        if checkpoint is None:
            # The first start is none, but only who is told can know.
            self._tell("restart", message="starting again, for there was no checkpoint yet")
            return
        with checkpoint.as_directory() as folder:
            state = State.load(Path(folder))
        self._group.model.set_weights(state.weights)
        variables = self._group.optimizer.variables
        for variable, value in zip(variables, state.optimizer, strict=True):
            variable.assign(value)
        self._average, self._best = state.average, state.best
        self._schedule, self._epochs_done = state.schedule, state.epoch
        self._history = state.history
        self._tell("restart", message=f"going on after epoch {state.epoch}")

    def _save(self, metrics: dict[str, float]) -> None:
        if self._rank != 0:
            train.report(metrics)
            return
        state = State(
            epoch=self._epochs_done,
            weights=self._group.model.get_weights(),
            average=self._average,
            best=self._best,
            optimizer=[v.numpy() for v in self._group.optimizer.variables],
            schedule=self._schedule,
            history=self._history,
        )
        with tempfile.TemporaryDirectory() as folder:
            state.save(Path(folder))
            train.report(metrics, checkpoint=train.Checkpoint.from_directory(folder))
        self._tell("checkpoint")

    def _left(self, steps_done: int, rate: float) -> float:
        steps_an_epoch = self._batches.steps
        epoch_s = (
            float(np.mean(self._epoch_seconds[-3:]))
            if self._epoch_seconds
            else steps_an_epoch * self._config.batch / rate
        )
        epochs_left = self._config.epochs - self._epochs_done - steps_done / steps_an_epoch
        return epochs_left * epoch_s

    def _tell(self, kind: Kind, **fields: Any) -> Progress:
        """Tell who follows the run, if this is the first worker."""
        event = Progress(
            run=self._config.run,
            kind=kind,
            step=int(self._group.optimizer.iterations.numpy()),
            epoch=min(self._epochs_done + (kind == "step"), self._config.epochs),
            of=self._config.epochs,
            **fields,
        )
        if self._rank == 0:
            self._events.put(event)
        return event

"""The loop that each worker of a Ray Train group runs."""

import math
import os
import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from ray import train
from ray.train.collective import broadcast_from_rank_zero
from sklearn.metrics import roc_auc_score

from gyrus.errors import StorageFull
from gyrus.evaluation.calibration import log_loss, softmax
from gyrus.evaluation.outcomes import tumour_probability
from gyrus.progress import Kind, Progress
from training_jobs.augment import STRONG, WEAK
from training_jobs.batches import TrainBatches
from training_jobs.checkpoint import Checkpoints, State
from training_jobs.config import TrainConfig
from training_jobs.distributed import distribute, share_machine
from training_jobs.events import Channel, Teller
from training_jobs.orders import End, Orders
from training_jobs.precision import dtype_policy
from training_jobs.schedule import Schedule
from training_jobs.stages import EVALUATION_BATCH, Stage, make_stage

FINE_TUNING_FACTOR = 0.3
"""The learning rate is multiplied by this when a pretrained base starts to train."""

STEP_EVERY_S = 1.0


def train_loop(given: dict[str, Any]) -> End:
    """Train until the last epoch, early stopping, or an order to leave; a checkpoint an epoch.

    `given` holds a `TrainConfig` as JSON values, `config`, and the `channel` to the driver. It goes
    on from the run's last checkpoint where there is one: after a lost worker, on more or fewer
    workers than before, and when a run is resumed.
    """
    config = TrainConfig.model_validate(given["config"])
    context = train.get_context()
    if context.get_world_size() == 1:
        os.environ.pop("TF_CONFIG", None)  # by which TensorFlow would open a port to everybody
    share_machine(context.get_local_world_size(), context.get_local_rank())
    # Of the first worker, for nodes may differ.
    keras.config.set_dtype_policy(broadcast_from_rank_zero(dtype_policy(config.precision)))
    keras.utils.set_random_seed(config.seed)
    rank, world = context.get_world_rank(), context.get_world_size()
    worker = Worker(config, given["channel"], rank=rank, world=world)
    worker.restore()
    try:
        return worker.run()
    except StorageFull as error:
        # An error would start the workers again, only to find the disk as full.
        return End("full", detail=error.detail)


class Worker:
    """One worker's part of a run."""

    def __init__(self, config: TrainConfig, channel: Channel, *, rank: int, world: int) -> None:
        self._config, self._rank, self._world = config, rank, world
        self._dataset = config.open_dataset()
        self._batches = TrainBatches(
            self._dataset,
            STRONG if config.pretrained else WEAK,
            batch=config.batch,
            rank=rank,
            world=world,
            seed=config.seed,
        )
        self._validation = self._dataset.split("validation")
        self._group = distribute(config, len(self._dataset.classes))
        model = self._group.model
        weights = set(map(id, model.weights))
        # What is no weight is the state of one of dropout's generators.
        self._seeds = [v for v in model.variables if id(v) not in weights]
        self._sow([seed.numpy() for seed in self._seeds])
        self._schedule = Schedule(config.learning_rate, config.patience)
        self._best = model.get_weights()
        self._epochs_done = self._steps_done = self._iterations = 0
        self._loss = self._told = 0.0
        self._history: list[Progress] = []
        self._checkpoints = Checkpoints(config.folder)
        self._orders = Orders(channel.stop, rank=rank)
        self._teller = Teller(config, channel.events, rank=rank, steps=self._batches.steps)

    def run(self) -> End:
        """Train to the end, or until an order to leave.

        Raises:
            StorageFull: a checkpoint could not be written; all workers raise it.
        """
        stage: Stage | None = None
        while self._epochs_done < self._config.epochs:
            frozen = self._config.pretrained and self._epochs_done < self._config.frozen_epochs
            if stage is None or stage.frozen != frozen:
                stage = make_stage(
                    self._group, self._dataset, self._batches.rows, rank=self._rank, frozen=frozen
                )
                self._group.train_on(stage.part, stage.part.trainable_variables, self._config.batch)
                begun = self._config.frozen_epochs, 0
                if self._config.pretrained and (self._epochs_done, self._steps_done) == begun:
                    # Adam counts its steps for all variables: those new to it would move too far.
                    self._group.reset_optimizer()
                    self._schedule.restart(self._config.learning_rate)
            if self._schedule.stop and not frozen:
                break
            end = self._run_epoch(stage)
            if end is not None:
                return end
        return End("done")

    def _run_epoch(self, stage: Stage) -> End | None:
        """An epoch, or the rest of it; where it ends before, all is saved."""
        tuning = self._config.pretrained and not stage.frozen
        factor = FINE_TUNING_FACTOR if tuning else 1.0
        self._group.optimizer.learning_rate = self._schedule.learning_rate * factor
        started, first = time.monotonic(), self._steps_done
        end = self._run_steps(stage)
        if end is not None:
            return end
        rate = self._rate(first, started)
        self._group.average_statistics()
        metrics = self._validate(stage)
        if not math.isfinite(metrics["val_loss"]):
            return End("diverged")
        self._schedule.observe(metrics["val_loss"])
        if self._schedule.improved:
            self._best = self._group.average.weights
        loss = self._loss / self._steps_done
        self._epochs_done, self._steps_done, self._loss = self._epochs_done + 1, 0, 0.0
        if first == 0 and not stage.frozen:
            self._teller.epoch_took(time.monotonic() - started)
        metrics |= {"loss": loss, "rate": rate}
        left = self._left_s(stage, self._epochs_done, rate)
        epoch = self._tell("epoch", loss=loss, metrics=metrics, rate=rate, left_s=left)
        self._history.append(epoch)
        self._save()
        return None

    def _run_steps(self, stage: Stage) -> End | None:
        """The steps of an epoch that are not done yet, until an order to leave."""
        started, first = time.monotonic(), self._steps_done
        for batch in self._batches.epoch(self._epochs_done, start=first, features=stage.features):
            loss, look = self._group.step(*batch, sign=self._orders.due)
            if not math.isfinite(loss):
                return End("diverged")
            self._steps_done += 1
            self._iterations += 1
            self._loss += loss
            self._group.average.join(self._iterations)
            if time.monotonic() - self._told > STEP_EVERY_S:
                self._told = time.monotonic()
                rate = self._rate(first, started)
                done = self._epochs_done + self._steps_done / self._batches.steps
                left = self._left_s(stage, done, rate)
                self._tell("step", loss=loss, rate=rate, left_s=left)
            order = self._orders.look() if look else None
            if order is not None:
                # As at the end of the epoch, which comes to the same: both are means.
                self._group.average_statistics()
            if order == "stop":
                self._save("stopped, as it was asked to")
                return End("stopped")
            if order == "leave":
                self._save("a node is taken away: leaving it")
                return End("preempted", nodes=self._orders.leaving)
            if order == "save":
                self._save()
        return None

    def _rate(self, first: int, started: float) -> float:
        """Images a second since `started`, when `first` steps of the epoch were done."""
        steps = self._steps_done - first
        return self._config.batch * steps / (time.monotonic() - started)

    def _left_s(self, stage: Stage, epochs_done: float, rate: float) -> float | None:
        """How many seconds are left; of a head alone, whose epochs are short, nobody can tell."""
        return None if stage.frozen else self._teller.left_s(epochs_done, rate)

    def _validate(self, stage: Stage) -> dict[str, float]:
        """The figures of the averaged weights on the validation split."""
        model = self._group.model
        weights = model.get_weights()
        model.set_weights(self._group.average.weights)
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
        truth = self._dataset.truth[self._validation]
        tumour = tumour_probability(probabilities, self._dataset.tumour_indices)
        metrics = {"val_loss": log_loss(probabilities, allowed)}
        if not math.isfinite(metrics["val_loss"]):
            return metrics
        likeliest = probabilities.argmax(1)[:, None]
        metrics["val_accuracy"] = float(np.take_along_axis(allowed, likeliest, 1).mean())
        if truth.any() and not truth.all():
            metrics["val_auroc"] = float(roc_auc_score(truth, tumour))
        return metrics

    def restore(self) -> None:
        """Go on from the last checkpoint that is whole, if there is one."""
        state, damaged = self._checkpoints.newest() if self._rank == 0 else (None, [])
        # One of them says which: a storage may show the last one to some before others.
        iterations = broadcast_from_rank_zero(state and state.iterations)
        later = f"; later ones are damaged: {', '.join(damaged)}" if damaged else ""
        if iterations is None:
            # The first start is none, but only who is told can know.
            self._tell("restart", message=f"starting again: there is no checkpoint yet{later}")
            return
        state = state or self._checkpoints.read(iterations)
        self._group.model.set_weights(state.weights)
        for variable, value in zip(self._group.optimizer.variables, state.optimizer, strict=True):
            variable.assign(value)
        if state.seeds:  # which older checkpoints lack
            self._sow(state.seeds)
        self._group.average.weights, self._best = state.average, state.best
        self._schedule, self._history = state.schedule, state.history
        self._epochs_done, self._steps_done, self._loss = state.epoch, state.step, state.loss
        self._iterations = state.iterations
        where = f"step {state.step} of epoch {state.epoch + 1}"
        where = where if state.step else f"epoch {state.epoch}"
        workers = f"{self._world} worker{'s' if self._world > 1 else ''}"
        self._tell("restart", message=f"going on after {where} with {workers}{later}")

    def _sow(self, seeds: Sequence[NDArray[np.int64]]) -> None:
        """Give dropout the first worker's states (2,), and each worker numbers of its own."""
        for variable, seed in zip(self._seeds, seeds, strict=True):
            variable.assign(seed + np.array([self._rank, 0]))

    def _save(self, message: str = "") -> None:
        full = ""
        if self._rank == 0:
            state = State(
                epoch=self._epochs_done,
                step=self._steps_done,
                iterations=self._iterations,
                loss=self._loss,
                weights=self._group.model.get_weights(),
                average=self._group.average.weights,
                best=self._best,
                optimizer=[v.numpy() for v in self._group.optimizer.variables],
                seeds=[v.numpy() for v in self._seeds],
                schedule=self._schedule,
                history=self._history,
            )
            try:
                self._checkpoints.save(state)
            except StorageFull as error:
                full = error.detail
        full = broadcast_from_rank_zero(full)
        if full:
            raise StorageFull(full)
        self._orders.saved()
        self._tell("checkpoint", message=message)

    def _tell(self, kind: Kind, **fields: Any) -> Progress:
        """Tell of an event here and now: the epoch is the one under way, or the last one done."""
        return self._teller(
            kind,
            step=self._iterations,
            epoch=self._epochs_done + (self._steps_done > 0),
            **fields,
        )

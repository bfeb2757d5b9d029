"""The group of workers of a run: started, started again on other nodes, and asked to stop."""

import os
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager

import ray
import tensorflow as tf
from ray.train.v2.api.config import FailureConfig, RunConfig, ScalingConfig
from ray.train.v2.api.exceptions import TrainingFailedError
from ray.train.v2.tensorflow.tensorflow_trainer import TensorflowTrainer

from gyrus.errors import InputError, StorageFull, TrainingFailed
from gyrus.launch.ports import LOOPBACK
from gyrus.launch.signals import ending_is_noted
from gyrus.progress import Progress
from training_jobs.checkpoint import Checkpoints, State
from training_jobs.config import TrainConfig
from training_jobs.events import Channel, told
from training_jobs.loop import train_loop
from training_jobs.orders import End

MAX_FAILURES = 5
"""So many lost workers or nodes a run survives, beside nodes that said before that they go."""

PATIENCE_S = 1800
"""So long the workers may look for room in all."""

FIND_ROOM_S = "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"
"""Ray's name for how long they may look for it each time."""

A_NODE_COMES_S = 600
"""So long where all workers must have room: a node may have to come first."""

LOOK_AGAIN_S = 30
"""So long where there may be fewer: Ray has seen room, but maybe on a node that is gone since."""

RESIZE_EVERY_S = 20.0
"""So often Ray looks whether there is room for more workers, as often as it counts nodes."""

CPUS_PER_WORKER = 1
ASK_S = 0.3
GONE_S = 60.0


def train(config: TrainConfig, tell: Callable[[Progress], None], *, resumed: bool) -> State | None:
    """What the workers made; None if a signal asked to end before. `tell` hears of every event.

    Raises:
        TrainingFailed: the workers failed more often than a run survives, or the loss diverged.
        StorageFull: there is no room for a checkpoint; the last one is whole.
        InputError: there is no room for so many workers.
    """
    with _ray(config), told(tell, resumed=resumed) as channel, ending_is_noted() as asked:
        end = _with_workers(config, channel, asked)
        # They have saved all, and start again on what is left.
        while end.reason == "preempted":
            _until_gone(end.nodes, asked)
            if asked.is_set():
                return None
            end = _with_workers(config, channel, asked)
    if end.reason == "full":
        raise StorageFull(
            f"{end.detail} The checkpoint before is whole: make room, and resume the run."
        )
    if end.reason == "diverged":
        raise TrainingFailed(
            "The loss is no number any more. Train anew, at a lower learning rate than "
            f"{config.learning_rate}."
        )
    if end.reason != "done" or asked.is_set():
        return None
    state, _ = Checkpoints(config.folder).newest()
    if state is None:
        raise TrainingFailed("The workers ended without a checkpoint.")
    return state


def _with_workers(config: TrainConfig, channel: Channel, asked: threading.Event) -> End:
    """Train with a group of workers, which Ray starts again when one of them is lost."""
    few, many = config.fewest_workers, config.workers
    patience = A_NODE_COMES_S if few == many else LOOK_AGAIN_S
    os.environ.setdefault(FIND_ROOM_S, str(patience))
    # Ray keeps nothing there, for the run has checkpoints of its own.
    with tempfile.TemporaryDirectory() as nothing, ThreadPoolExecutor(1, "workers") as pool:
        trainer = TensorflowTrainer(
            train_loop,
            train_loop_config={"config": config.model_dump(mode="json"), "channel": channel},
            scaling_config=ScalingConfig(
                num_workers=many if few == many else (few, many),
                elastic_resize_monitor_interval_s=RESIZE_EVERY_S,
                resources_per_worker={"CPU": CPUS_PER_WORKER},
            ),
            run_config=RunConfig(
                name=config.run,
                storage_path=nothing,
                failure_config=FailureConfig(
                    max_failures=MAX_FAILURES,
                    controller_failure_limit=PATIENCE_S // patience,
                ),
            ),
        )
        # In the main thread Ray would answer to Ctrl-C itself, and end the workers at once.
        fit = pool.submit(trainer.fit)
        while wait([fit], ASK_S).not_done:
            if asked.is_set() and channel.stop.empty():
                channel.stop.put(True)
        try:
            end: End = fit.result().return_value  # type: ignore[attr-defined] # Train V2
        except TrainingFailedError as error:
            reason = str(error).strip().splitlines()[-1:]
            raise TrainingFailed(f"The workers failed: {' '.join(reason)}") from error
        return end


def _until_gone(nodes: Collection[str], asked: threading.Event) -> None:
    """Wait for nodes to end, as they do when they are empty: Ray would count on them until then."""
    patience = time.monotonic() + GONE_S
    while time.monotonic() < patience and any(
        one["Alive"] and one["NodeID"] in nodes
        for one in ray.nodes()  # type: ignore[no-untyped-call]
    ):
        if asked.wait(ASK_S):
            return


@contextmanager
def _ray(config: TrainConfig) -> Iterator[None]:
    """Join the Ray that `RAY_ADDRESS` names, or start one on loopback for this run."""
    address = os.environ.get("RAY_ADDRESS")
    gpus = len(tf.config.list_physical_devices("GPU"))
    if (not address or address.startswith(LOOPBACK)) and 0 < gpus < config.workers:
        raise InputError(
            f"Each worker needs a GPU of its own, and this machine has {gpus}, not "
            f"{config.workers}. Ask for fewer workers."
        )
    if address:
        ray.init(log_to_driver=False)
        resources = ray.cluster_resources()  # type: ignore[no-untyped-call]
        room = int(resources.get("CPU", 0)) // CPUS_PER_WORKER
        # A cluster can grow, one machine cannot.
        if address.startswith(LOOPBACK) and config.fewest_workers > room:
            ray.shutdown()
            raise InputError(
                f"The running Gyrus has room for {room} workers, not {config.fewest_workers}. "
                "Ask for fewer."
            )
    else:
        ray.init(
            address="local",
            num_cpus=max(os.cpu_count() or 1, config.workers * CPUS_PER_WORKER + 1),
            include_dashboard=False,
            log_to_driver=False,
            _node_ip_address="127.0.0.1",
        )
    try:
        yield
    finally:
        ray.shutdown()

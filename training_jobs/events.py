"""What the driver and the first worker tell each other: through queues in memory."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
from ray.util.queue import Empty, Queue
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from gyrus.progress import Kind, Progress
from training_jobs.config import TrainConfig

LOOK_S = 0.3


@dataclass(frozen=True)
class Channel:
    """`events` are on their way to the driver; `stop` holds something when it wants a stop."""

    events: Queue
    stop: Queue


@contextmanager
def told(tell: Callable[[Progress], None], *, resumed: bool) -> Iterator[Channel]:
    """A channel for all workers that a run has; `tell` hears their events.

    A worker says so whenever it starts; the first start of a run that is not `resumed` is no news.
    """
    # Beside the driver: a node that is lost with workers on it must not take the queues along.
    node = ray.get_runtime_context().get_node_id()
    here = NodeAffinitySchedulingStrategy(node, soft=False)
    options = {"num_cpus": 0, "scheduling_strategy": here}
    channel = Channel(Queue(actor_options=options), Queue(actor_options=options))
    ended = threading.Event()

    def follow() -> None:
        begun = resumed
        while True:
            last_look = ended.is_set()
            try:
                event: Progress = channel.events.get(timeout=LOOK_S)
            except Empty:
                if last_look:
                    return
                continue
            if begun or event.kind != "restart":
                tell(event)
            begun = True

    thread = threading.Thread(target=follow, name="progress")
    thread.start()
    try:
        yield channel
    finally:
        ended.set()
        thread.join()


class Teller:
    """Tells how a run goes, if this is the first worker."""

    def __init__(self, config: TrainConfig, events: Queue, *, rank: int, steps: int) -> None:
        self._config, self._events, self._rank, self._steps = config, events, rank, steps
        self._epoch_seconds: list[float] = []

    def __call__(self, kind: Kind, **fields: Any) -> Progress:
        """Tell of an event."""
        event = Progress(run=self._config.run, kind=kind, of=self._config.epochs, **fields)
        if self._rank == 0:
            self._events.put(event)
        return event

    def epoch_took(self, seconds: float) -> None:
        """A whole epoch took so long."""
        self._epoch_seconds.append(seconds)

    def left_s(self, epochs_done: float, rate: float) -> float | None:
        """How many seconds are likely left at `rate` images a second, if that is known yet."""
        if self._epoch_seconds:
            epoch_s = float(np.mean(self._epoch_seconds[-3:]))
        elif rate:
            epoch_s = self._steps * self._config.batch / rate
        else:
            return None
        return (self._config.epochs - epochs_done) * epoch_s

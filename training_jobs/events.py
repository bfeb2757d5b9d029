"""What the first worker tells, on its way to the driver: through a queue in memory."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import ray
from ray.util.queue import Empty, Queue
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from gyrus.progress import Progress

LOOK_S = 0.3


@contextmanager
def told(tell: Callable[[Progress], None], *, resumed: bool) -> Iterator[Queue]:
    """A queue for workers, and the one for all of them that a run has; `tell` hears what is put.

    A worker says so whenever it starts; the first start of a run that is not `resumed` is no news.
    """
    # Beside the driver: a node that is lost with workers on it must not take the queue along.
    node = ray.get_runtime_context().get_node_id()
    here = NodeAffinitySchedulingStrategy(node, soft=False)
    queue = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
    ended = threading.Event()

    def follow() -> None:
        begun = resumed
        while True:
            last_look = ended.is_set()
            try:
                event: Progress = queue.get(timeout=LOOK_S)
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
        yield queue
    finally:
        ended.set()
        thread.join()

"""What all workers do after the same step: stop, leave a node that is taken away, or save."""

import time
from dataclasses import dataclass
from typing import Literal

from ray import train
from ray.train.collective import broadcast_from_rank_zero
from ray.util.queue import Queue

LOOK_EVERY_S = 1.0
SAVE_EVERY_S = 300.0
"""A worker that is killed, or a group that grows, costs no more work than this."""

Order = Literal["stop", "leave", "save"]


@dataclass(frozen=True)
class End:
    """Why the workers returned: all is done, or they were stopped, lose `nodes`, or cannot go on.

    That is where a disk is full, of which `detail` says more, or the loss is no number any more.
    """

    reason: Literal["done", "stopped", "preempted", "full", "diverged"]
    nodes: tuple[str, ...] = ()
    detail: str = ""


class Orders:
    """Orders that all workers of a group get after the same step.

    The first worker says when to look; the sum of the losses carries it to the others, so that
    no step waits for anything more. Then all of them look, which takes some milliseconds.
    `leaving` are the ids of the nodes that the last order was to leave.
    """

    def __init__(self, stop: Queue, *, rank: int) -> None:
        self._stop, self._rank = stop, rank
        self.leaving: tuple[str, ...] = ()
        self._looked = self._saved = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether this worker wants all of them to look after the next step."""
        return self._rank == 0 and time.monotonic() - self._looked > LOOK_EVERY_S

    def look(self) -> Order | None:
        """What is to be done now; all workers must ask, and hear the same."""
        self._looked = time.monotonic()
        order: Order | None = None
        if self._rank == 0:
            if not self._stop.empty():
                order = "stop"
            elif self._looked - self._saved > SAVE_EVERY_S:
                order = "save"
        order = broadcast_from_rank_zero(order)
        preemption = train.get_preemption_info()
        if preemption is None or order == "stop":
            return order
        self.leaving = tuple(preemption.preempted_node_ids)
        return "leave"

    def saved(self) -> None:
        """A checkpoint was written."""
        self._saved = time.monotonic()

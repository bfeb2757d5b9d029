"""Starting a Ray head, again where a loaded machine was too slow for Ray's own limits."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from gyrus.launch.first_model import Reporter
from gyrus.launch.loopback import WORKER_SETUP
from gyrus.launch.processes import Child, Processes, end, members
from gyrus.launch.ray_head import RayHead

RAY = "ray"
TRIES = 3
GRACE_S = 10.0


class RayStart:
    """Has `processes` run a head, at most `TRIES` times until one is there in time."""

    def __init__(
        self,
        head: RayHead,
        processes: Processes,
        environment: Mapping[str, str],
        folder: Path,
        reporter: Reporter,
    ) -> None:
        self._head = head
        self._processes = processes
        self._environment = {**environment, **WORKER_SETUP}
        self._folder = folder
        self._reporter = reporter
        self._tries = 1
        self._child = self._start()

    def check(self) -> None:
        """Notice a child that ended by itself; start a head again that was only too slow.

        Raises:
            Unavailable: one ended.
        """
        if self._child.process.poll() is not None and self._tries < TRIES:
            # What it left may hold its ports.
            end(members({self._child.process.pid}), grace=GRACE_S)
            if self._head.was_too_slow(self._child.log):
                self._tries += 1
                self._reporter.note(
                    "Ray was not ready within its own time limit, as happens on a busy machine. "
                    f"Starting it again ({self._tries} of {TRIES})."
                )
                shutil.rmtree(self._head.session, ignore_errors=True)
                self._child = self._start()
        self._processes.check()

    def _start(self) -> Child:
        return self._processes.start(
            RAY, self._head.command, self._environment, folder=self._folder
        )

"""Child processes that end with their parent, with all that they started themselves.

Each child leads its own session, so that a terminal's Ctrl-C reaches the launcher alone, which then
stops them in order. A mark in the environment, the session and the family tree together find every
grandchild: Ray's workers overwrite the memory that their environment stood in, daemons leave the
tree, but none does both.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from gyrus.errors import Unavailable

MARK = "GYRUS_UP"
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Child:
    """A process that was started, and the file that it writes to."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


class Processes:
    """The children of one launcher, all marked with `mark`."""

    def __init__(self, mark: str, logs: Path) -> None:
        self.mark = mark
        self.logs = logs
        self._children: dict[str, Child] = {}
        self._sessions: set[int] = set()
        _adopt_orphans()

    def start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        folder: Path,
    ) -> Child:
        """Start `command` in `folder`; it writes to `<logs>/<name>.log`."""
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{name}.log"
        with log.open("w") as file:
            process = subprocess.Popen(
                command,
                env={**environment, MARK: self.mark},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        child = Child(name, process, log)
        self._children[name] = child
        self._sessions.add(process.pid)
        return child

    def check(self) -> None:
        """Notice a child that ended by itself.

        Raises:
            Unavailable: one did.
        """
        for child in self._children.values():
            code = child.process.poll()
            if code is not None:
                raise Unavailable(f"The {child.name} ended (exit code {code}). See {child.log}.")

    def stop(self, name: str, *, grace: float) -> None:
        """Ask a child to end, and after `grace` seconds end it and its family."""
        child = self._children.pop(name, None)
        if child is None:
            return
        family = members({child.process.pid})
        if child.process.poll() is None:
            child.process.terminate()
        try:
            child.process.wait(grace)
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
        end(family, grace=min(grace, 2.0))

    def stop_all(self, order: Iterable[str], *, grace: float) -> None:
        """Stop the children in `order`, then the others, then whatever is left of any of them."""
        for name in [*order, *self._children]:
            self.stop(name, grace=grace)
        sweep(self.mark, self._sessions)
        _reap(self._sessions)


def members(sessions: Collection[int], mark: str = "") -> list[psutil.Process]:
    """Living processes in the sessions or with the mark, and the families of all of them."""
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if _session(process.pid) in sessions or (mark and _is_marked(process, mark)):
                for relative in [process, *process.children(recursive=True)]:
                    found[relative.pid] = relative
        except psutil.Error:
            continue
    return [one for one in found.values() if one.pid != os.getpid()]


def end(processes: list[psutil.Process], *, grace: float) -> None:
    """Ask processes to end, and kill those that are left after `grace` seconds."""
    for process in processes:
        _quietly(process, signal.SIGTERM)
    _, alive = psutil.wait_procs(processes, timeout=grace)
    for process in alive:
        _quietly(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=grace)


def sweep(mark: str, sessions: Collection[int] = (), *, seconds: float = 10.0) -> None:
    """Kill whatever is left of a launcher, until nothing is."""
    deadline = time.monotonic() + seconds
    while (left := members(sessions, mark)) and time.monotonic() < deadline:
        for process in left:
            _quietly(process, signal.SIGKILL)
        psutil.wait_procs(left, timeout=1)


def process_runs(pid: int) -> bool:
    """Whether there is such a process, and it has not ended yet."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _is_marked(process: psutil.Process, mark: str) -> bool:
    try:
        return bool(process.environ().get(MARK) == mark)
    except (psutil.Error, OSError):
        return False


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def _quietly(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.Error):
        process.send_signal(number)


def _adopt_orphans() -> None:
    """Become the parent of orphaned grandchildren, so that they stay in the family tree."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _reap(sessions: Collection[int]) -> None:
    """Collect the adopted that ended, so that none stays as a zombie."""
    for child in psutil.Process().children():
        if _session(child.pid) in sessions:
            with suppress(ChildProcessError):
                os.waitpid(child.pid, os.WNOHANG)

"""File locks: the system lets them go when their holder ends, however it ends."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from gyrus.errors import Conflict

CLAIM_S = 1.0
"""For so long a lock is tried again: `is_held` holds it for a moment too."""


def is_held(path: Path) -> bool:
    """Whether a process holds the lock `path` now."""
    if not path.exists():
        return False
    with path.open("a+") as file:  # NFS shares a lock only with who can read
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


@contextmanager
def hold(path: Path, *, seconds: float = CLAIM_S) -> Iterator[TextIO]:
    """Hold the lock `path`; a child that inherits the file holds it on after the block.

    Raises:
        Conflict: another process holds it, still after `seconds`.
    """
    with path.open("a") as file:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise Conflict(f"Another process of Gyrus holds {path}. Try again.") from error
                time.sleep(0.05)
        yield file

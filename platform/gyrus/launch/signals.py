"""Signals that ask to end."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ending_raises() -> Iterator[None]:
    """Within the block the first such signal raises KeyboardInterrupt, further ones do nothing.

    So what is cleaned up on the way out is not interrupted.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        ignore_ending()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_ending() -> None:
    """From here on, nothing asks to end."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)

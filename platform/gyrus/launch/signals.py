"""Signals that ask to end."""

import signal
import threading
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


@contextmanager
def ending_is_noted() -> Iterator[threading.Event]:
    """Within the block the first such signal sets the event, and the next one ends the process.

    So there is time for an orderly end, unless whoever waits for it loses patience.
    """
    asked = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        for each in ENDING:
            signal.signal(each, signal.SIG_DFL)
        asked.set()

    before = {number: signal.signal(number, note) for number in ENDING}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

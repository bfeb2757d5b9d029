"""Slows down the guessing of passwords."""

import hashlib
import time
from collections.abc import Callable

from gyrus.errors import TooManyRequests

ATTEMPTS = 10
WINDOW_S = 300.0
MOST_KEYS = 10_000


class AttemptLimit:
    """At most `ATTEMPTS` failed sign-ins in `WINDOW_S` for an account from an address.

    Kept in this process: with several gateways each one counts for itself. The keys are hashes, of
    one size whatever was sent.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._attempts: dict[bytes, list[float]] = {}

    def attempt(self, account: str, address: str) -> None:
        """Count an attempt, before it is known how it ends.

        Raises:
            TooManyRequests: there were too many.
        """
        at = self._clock()
        key = _key(account, address)
        recent = self._recent(key, at)
        if len(recent) >= ATTEMPTS:
            wait = int(recent[0] + WINDOW_S - at) + 1
            raise TooManyRequests("Too many failed sign-ins. Wait a while.", retry_after=wait)
        if len(self._attempts) >= MOST_KEYS:
            self._attempts.pop(next(iter(self._attempts)))
        self._attempts[key] = [*recent, at]

    def success(self, account: str, address: str) -> None:
        """Forget the attempts: the password was right."""
        self._attempts.pop(_key(account, address), None)

    def _recent(self, key: bytes, at: float) -> list[float]:
        times = self._attempts.pop(key, [])
        recent = [then for then in times if at - then < WINDOW_S]
        if recent:
            self._attempts[key] = recent
        return recent


def _key(account: str, address: str) -> bytes:
    return hashlib.sha256(f"{address}\0{account}".encode()).digest()

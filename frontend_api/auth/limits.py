"""Slows down the guessing of passwords."""

import time
from collections.abc import Callable

from gyrus.errors import TooManyRequests

ATTEMPTS = 10
WINDOW_S = 300.0
MOST_KEYS = 10_000


class AttemptLimit:
    """At most `ATTEMPTS` failed sign-ins in `WINDOW_S` for an account from an address.

    Kept in this process: with several gateways each one counts for itself.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._attempts: dict[tuple[str, str], list[float]] = {}

    def attempt(self, account: str, address: str) -> None:
        """Count an attempt, before it is known how it ends.

        Raises:
            TooManyRequests: there were too many.
        """
        at = self._clock()
        recent = self._recent(account, address, at)
        if len(recent) >= ATTEMPTS:
            wait = int(recent[0] + WINDOW_S - at) + 1
            raise TooManyRequests("Too many failed sign-ins. Wait a while.", retry_after=wait)
        if len(self._attempts) >= MOST_KEYS:
            self._attempts.pop(next(iter(self._attempts)))
        self._attempts[account, address] = [*recent, at]

    def success(self, account: str, address: str) -> None:
        """Forget the attempts: the password was right."""
        self._attempts.pop((account, address), None)

    def _recent(self, account: str, address: str, at: float) -> list[float]:
        times = self._attempts.pop((account, address), [])
        recent = [then for then in times if at - then < WINDOW_S]
        if recent:
            self._attempts[account, address] = recent
        return recent

"""Passwords: Argon2id; bcrypt hashes are accepted and replaced at the next sign-in."""

import anyio.to_thread
from passlib.context import CryptContext

PARALLEL = 2
"""Hashes at a time: each holds 64 MiB for as long as it runs."""

BCRYPT_LIMIT = 72
"""Bytes that bcrypt can hash; it fails on more."""


class Passwords:
    """Hashes and verifies, in threads."""

    def __init__(self) -> None:
        self._context = CryptContext(schemes=["argon2", "bcrypt"], deprecated=["bcrypt"])
        self._threads = anyio.CapacityLimiter(PARALLEL)
        self._dummy: str | None = None

    async def hash(self, password: str) -> str:
        """The Argon2id hash of a password."""
        return await anyio.to_thread.run_sync(self._context.hash, password, limiter=self._threads)

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Whether the password is the stored one, and a new hash where the stored one is old.

        `None` for an account that does not exist costs as much time as one that does.
        """
        return await anyio.to_thread.run_sync(self._verify, password, stored, limiter=self._threads)

    def _verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        if stored is None:
            self._dummy = self._dummy or self._context.hash("nobody's password")
            self._context.verify(password, self._dummy)
            return False, None
        if stored.startswith("$2") and len(password.encode()) > BCRYPT_LIMIT:
            return False, None
        right, replaced = self._context.verify_and_update(password, stored)
        return right, replaced

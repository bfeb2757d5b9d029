"""Pseudonyms of patients: they tell whether two are the same, and not who they are."""

import hmac
import secrets
from functools import cache
from pathlib import Path

from gyrus.files import write_whole
from gyrus.locks import hold

KEY = "patients.key"
LENGTH = 32


def pseudonym(patient: str, home: Path | None) -> str:
    """What stands for a patient's name, the same in all imports of a home.

    Empty for no name, and without a home. It has a key (HMAC-SHA256, RFC 2104): whoever could hash
    without one would soon have tried all numbers that name patients.
    """
    if home is None or not patient:
        return ""
    return hmac.new(_key(home), patient.encode(), "sha256").hexdigest()[:LENGTH]


@cache
def _key(home: Path) -> bytes:
    """The key of a home, which is made once: under another one no patient is known again."""
    path = home / KEY
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        with hold(home / f".{KEY}.lock"):
            if not path.exists():  # nor made meanwhile, by another import
                write_whole(path, secrets.token_hex(32))
    return path.read_bytes()

"""Pseudonyms of patients: they tell whether two are the same, and not who they are."""

import hmac
import secrets
from collections.abc import Sequence
from pathlib import Path

from gyrus.files import write_whole
from gyrus.locks import hold

KEY = "patients.key"
LENGTH = 32


def pseudonyms(patients: Sequence[str], home: Path | None) -> list[str]:
    """The pseudonym of each patient, the same in all imports of a home; empty for an empty name.

    Nobody has one without a home.
    It has a key (HMAC-SHA256, RFC 2104): whoever could hash without one would soon have tried all
    numbers that name patients.
    """
    if home is None or not any(patients):
        return [""] * len(patients)
    key = _key(home)
    return [
        name and hmac.new(key, name.encode(), "sha256").hexdigest()[:LENGTH] for name in patients
    ]


def _key(home: Path) -> bytes:
    """The key of a home, which is made once: under another one no patient is known again."""
    path = home / KEY
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        with hold(home / f".{KEY}.lock"):
            if not path.exists():  # nor made meanwhile, by another import
                write_whole(path, secrets.token_hex(32))
    return path.read_bytes()

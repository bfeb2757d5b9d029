"""Small files that others read while they are written: whole or not there."""

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Replace `path` in one step; only its owner can read it."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)

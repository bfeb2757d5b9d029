"""How far a start is: one JSON file that the launcher writes and the gateway reads."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from gyrus.files import write_whole
from gyrus.progress import Progress

Stage = Literal["starting", "generating", "training", "deploying", "ready", "failed"]


class Status(BaseModel):
    """The stage of a start, in a word and a sentence, and how its training goes."""

    stage: Stage
    message: str
    progress: Progress | None = None


def write_status(path: Path, status: Status) -> None:
    """Replace the status in one step: a reader sees the old one or the new one."""
    write_whole(path, status.model_dump_json() + "\n")


def read_status(path: Path) -> Status | None:
    """The status that was written last, or None where there is none."""
    try:
        return Status.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None

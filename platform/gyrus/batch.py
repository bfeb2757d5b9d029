"""Many images classified one after the other, of which some may be none."""

import os
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from gyrus.errors import (
    GyrusError,
    InputError,
    NoModel,
    Unauthorized,
    Unavailable,
    UploadTooLarge,
)
from gyrus.folders import visible_files
from gyrus.preprocessing import MAX_UPLOAD

IN_FLIGHT = 4
"""So many images are sent at a time: enough for replicas to make batches."""

NOBODY_ANSWERS = (NoModel, Unauthorized, Unavailable)
"""What is wrong with these is wrong with every image."""


class Classified(BaseModel):
    """What came of one file: the replicas' `answer`, or the `error`."""

    file: str
    answer: dict[str, Any] | None = None
    error: str = ""


def images_below(folder: Path) -> list[Path]:
    """Every file in a folder and those below it, but hidden ones, by name.

    Raises:
        InputError: there is none, or the folder cannot be read.
    """
    files = [path for path in visible_files(folder) if path.is_file()]
    if not files:
        raise InputError(f"{folder} holds no file.")
    return sorted(files)


def classify_all(
    folder: Path, files: list[Path], classify: Callable[[bytes], dict[str, Any]]
) -> Generator[Classified, None, None]:
    """What `classify` says of each file, in their order.

    Raises:
        GyrusError: one of `NOBODY_ANSWERS`; what is wrong with one file is told in its place.
    """

    def one(path: Path) -> Classified:
        name = os.fsencode(path.relative_to(folder)).decode(errors="replace")
        try:
            if path.stat().st_size > MAX_UPLOAD:
                raise UploadTooLarge(f"The file has more than {MAX_UPLOAD >> 20} MiB.")
            return Classified(file=name, answer=classify(path.read_bytes()))
        except NOBODY_ANSWERS:
            raise
        except GyrusError as error:
            return Classified(file=name, error=error.detail)
        except OSError as error:
            return Classified(file=name, error=f"The file cannot be read: {error.strerror}.")

    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        yield from pool.map(one, files)

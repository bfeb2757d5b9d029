"""Where the images of an import come from: a folder, a zip file, an address, or Kaggle."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

from gyrus.addresses import address, local
from gyrus.datasets.finding import SHIPPED_SPLITS
from gyrus.datasets.unzipping import unzip
from gyrus.errors import InputError, NotFound, Unavailable
from gyrus.folders import visible_folders

KAGGLE = "kaggle:"
HANDLE = re.compile(r"[A-Za-z0-9][\w-]*/[A-Za-z0-9][\w.-]*(/versions/[1-9][0-9]*)?", re.ASCII)

NOT_YOURS = {401, 403, 404}
"""What Kaggle answers of a dataset that is not there, or not for who asks."""


def from_kaggle(handle: str) -> str:
    """The folder of a Kaggle dataset, downloaded into kagglehub's own cache if it is not there."""
    # It says on standard output what it does: that is kept for what we were asked.
    with redirect_stdout(sys.stderr):
        import kagglehub

        folder: str = kagglehub.dataset_download(handle)
    return folder


@contextmanager
def source_folder(given: str, *, fetch: Callable[[str], str] = from_kaggle) -> Iterator[Path]:
    """The folder that holds what was named, for as long as the block lasts.

    `given` is a folder or a zip file, by path or by address, or `kaggle:owner/dataset`, perhaps
    with `/versions/3`. Of a zip file and of Kaggle it is the folder with the classes, if others are
    wrapped around it.

    Raises:
        NotFound: there is nothing, or not for who asks.
        InputError: it is no folder and no zip file, or the zip file cannot be unpacked safely.
        Unavailable: it cannot be fetched.
    """
    if given.startswith(KAGGLE):
        yield _unwrapped(_downloaded(given.removeprefix(KAGGLE), fetch))
        return
    with local(address(given)) as source:
        if source.is_dir():
            yield source
            return
        with TemporaryDirectory(prefix="gyrus-") as unpacked:
            unzip(source, Path(unpacked))
            yield _unwrapped(Path(unpacked))


def _downloaded(handle: str, fetch: Callable[[str], str]) -> Path:
    if not HANDLE.fullmatch(handle):
        raise InputError(f"{handle!r} is no dataset of Kaggle. Write {KAGGLE}owner/dataset.")
    try:
        return Path(fetch(handle))
    except Exception as error:  # kagglehub raises its own, those of requests, and ValueError
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in NOT_YOURS:
            raise NotFound(
                f"Kaggle has no dataset {handle} for you. Look at its name; if it is private or "
                "asks for consent, put a token of your Kaggle account into KAGGLE_API_TOKEN."
            ) from error
        raise Unavailable(f"{handle} cannot be fetched from Kaggle: {error}") from error


def _unwrapped(folder: Path) -> Path:
    """The folder itself, or the one inside that holds the folders of classes or splits."""
    while len(inside := visible_folders(folder)) == 1:
        [only] = inside
        if only.name.lower() in SHIPPED_SPLITS or not visible_folders(only):
            break
        folder = only
    return folder

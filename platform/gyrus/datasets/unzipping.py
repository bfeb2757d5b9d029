"""Zip files from anywhere: unpacked within limits, or refused before anything is written."""

import errno
import shutil
import stat
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from gyrus.errors import InputError

MAX_FILES = 500_000
MAX_BYTES = 50 * 10**9
"""Nothing that unpacks to more is unpacked; nor is what the disk has no room for."""

MAX_DEPTH = 32
"""Folders in folders, counting the file."""

UNUSABLE = {errno.EEXIST, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL}
"""What the system says of paths that are there twice or too long, and of offsets that are none."""

DAMAGED = (
    BadZipFile,
    EOFError,
    NotImplementedError,
    OverflowError,
    ValueError,
    struct.error,
    zlib.error,
)

MAC_ONLY = "__MACOSX"
"""A folder that macOS adds to zip files, with what it alone knows about the others."""


def unzip(
    source: Path, folder: Path, *, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES
) -> None:
    """Unpack a zip file into an empty folder.

    All that its directory says is checked before a byte is unpacked, and no file is read beyond the
    size that it says there.

    Raises:
        InputError: it is none, or is damaged; it holds what could reach out of the folder (such
            paths, links), other zip files or what is encrypted; or it is too large.
    """
    try:
        with ZipFile(source) as archive:
            entries = list(_checked(archive.infolist(), source.name))
            if len(entries) > max_files:
                raise InputError(
                    f"{source.name} holds {len(entries)} files; at most {max_files} are unpacked."
                )
            size = sum(entry.file_size for entry, _ in entries)
            room = min(max_bytes, shutil.disk_usage(folder).free)
            if size > room:
                raise InputError(
                    f"{source.name} unpacks to {_gigabytes(size)}, and {_gigabytes(room)} are the "
                    f"most that {folder.parent} takes. Unpack it yourself and import the folder."
                )
            for entry, path in entries:
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as packed, target.open("xb") as file:
                    shutil.copyfileobj(packed, file)
    except OSError as error:
        if error.errno not in UNUSABLE:
            raise
        raise InputError(f"{source.name} cannot be unpacked: {error.strerror}.") from error
    except DAMAGED as error:
        raise InputError(f"{source.name} is no folder and no zip file, or is damaged.") from error


def _checked(entries: list[ZipInfo], archive: str) -> Iterator[tuple[ZipInfo, Path]]:
    """The files to unpack, and their paths inside the folder."""
    for entry in entries:
        # Some are made on Windows, and this splits at / and \ and knows drives.
        path = PureWindowsPath(entry.filename)
        shown = entry.filename[:80]
        if path.anchor or ".." in path.parts:
            raise InputError(f"{archive} holds a path that leads out of it: {shown!r}.")
        if len(path.parts) > MAX_DEPTH:
            raise InputError(f"{archive} holds a path of more than {MAX_DEPTH} folders: {shown!r}.")
        if stat.S_IFMT(entry.external_attr >> 16) not in {0, stat.S_IFREG, stat.S_IFDIR}:
            raise InputError(f"{archive} holds a link or device: {shown!r}. Pack it without.")
        if entry.filename[-1:] in {"/", "\\"} or not path.parts or path.parts[0] == MAC_ONLY:
            continue
        if path.suffix.lower() == ".zip":
            raise InputError(
                f"{archive} holds another zip file, {shown!r}. Unpack it and import what is inside."
            )
        if entry.flag_bits & 1:
            raise InputError(f"{archive} is encrypted. Unpack it and import the folder.")
        if entry.compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
            raise InputError(
                f"{archive} is packed in a way that Gyrus does not read. Unpack it and import the "
                "folder."
            )
        yield entry, Path(*path.parts)


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"

"""What is known of the files that images came from, so that a report can say what it gives away."""

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pydicom
from PIL import Image

from gyrus.dicom import is_dicom
from gyrus.errors import InvalidDataset
from gyrus.imaging import FORMATS

FILES = "files.parquet"
"""Beside the manifest, a line an image; where it is missing, nothing is known."""

SCHEMA = pa.schema(
    [
        ("size", pa.int64()),
        ("width", pa.int64()),
        ("height", pa.int64()),
        ("mode", pa.string()),
        ("format", pa.string()),
    ]
)


@dataclass(frozen=True)
class FileFacts:
    """An image's file: bytes, columns, rows, kind of pixels (`RGB`, `MONOCHROME2`) and format."""

    size: int
    width: int
    height: int
    mode: str
    format: str


def facts_of(data: bytes) -> FileFacts:
    """What the header of a file says that `gyrus.imaging.decode` could read."""
    if is_dicom(data):
        header = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
        mode = str(header.get("PhotometricInterpretation", ""))
        return FileFacts(len(data), int(header.Columns), int(header.Rows), mode, "DICOM")
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        return FileFacts(len(data), *image.size, image.mode, str(image.format))


def write_facts(folder: Path, facts: Sequence[FileFacts | None]) -> None:
    """Keep what is known of the files of a dataset's images, in their order."""
    rows = [asdict(one) if one else dict.fromkeys(SCHEMA.names) for one in facts]
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), folder / FILES)


def read_facts(folder: Path, count: int) -> list[FileFacts | None]:
    """What is known of the file of each of the `count` images of a dataset.

    Raises:
        InvalidDataset: that is damaged, or of another dataset.
    """
    if not (folder / FILES).exists():
        return [None] * count
    try:
        rows = pq.read_table(folder / FILES, schema=SCHEMA).to_pylist()
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InvalidDataset(f"{folder / FILES} is damaged. Import the dataset again.") from error
    if len(rows) != count:
        raise InvalidDataset(f"{folder / FILES} is of another dataset. Import this one again.")
    return [None if row["size"] is None else FileFacts(**row) for row in rows]

"""MR images in DICOM files, and which patient they are of."""

import io
import re
import struct
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.pixels.utils import pixel_array
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

from gyrus.errors import CorruptImage, GyrusError, UnsupportedImage
from gyrus.gray import Gray, check_size, stretch

MAX_FRAMES = 1000
"""More frames than this are never decoded."""

OF_A_FRAME = {
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
    "FrameVOILUTSequence": ("WindowCenter", "WindowWidth", "VOILUTFunction"),
}
"""What each frame of an Enhanced MR image may say for itself (PS3.3, C.7.6.16)."""


def is_dicom(data: bytes) -> bool:
    """Whether a file begins as one of DICOM (PS3.10, 7.1)."""
    return data[128:132] == b"DICM"


def read_frames(data: bytes, *, most: int) -> Iterator[Gray]:
    """The frames of an MR image, each (rows, columns) uint8.

    Rescale slope and intercept (or the modality LUT) and the first window (or else the VOI LUT) are
    applied, the range is stretched, and MONOCHROME1 is inverted.

    Raises:
        UnsupportedImage: it is no gray MR image, or holds more than `most` frames.
        ImageTooLarge: the header tells of too many pixels; nothing was decoded.
        CorruptImage: the pixels cannot be read.
    """
    # pydicom inflates this syntax without a limit: 20 MB of it can become 20 GB.
    if DeflatedExplicitVRLittleEndian.encode() in data:
        raise UnsupportedImage("The DICOM file is deflated. Export it again, uncompressed.")
    try:
        dataset = pydicom.dcmread(io.BytesIO(data))
        count, index = _check(dataset, most), -1
        for index, pixels in enumerate(_pixels(dataset, count)):
            header = _header_of_frame(dataset, index)
            values = apply_modality_lut(pixels, header)
            if header.get("VOILUTSequence"):  # looked up, so they must be whole numbers
                values = np.rint(values).astype(np.int64)
            values = apply_voi_lut(values, header, prefer_lut=False)
            gray = stretch(np.asarray(values, dtype=np.float32))
            inverted = dataset.PhotometricInterpretation == "MONOCHROME1"
            yield (255 - gray).astype(np.uint8) if inverted else gray
        if index + 1 < count:
            raise CorruptImage(f"The DICOM file holds fewer than {count} frames. Export it again.")
    except GyrusError:
        raise
    except Exception as error:  # damaged files make pydicom and its plugins raise all kinds
        raise CorruptImage(
            "The DICOM file is damaged, or packed in a way that Gyrus cannot read. Export it "
            "again, uncompressed."
        ) from error


def names_in(data: bytes) -> tuple[str, str]:
    """The patient and the series that a decodable file names: for grouping, never to be kept.

    Each is empty if it is not named, or if this is no DICOM file.

    Raises:
        CorruptImage: the names cannot be read.
    """
    if not is_dicom(data):
        return "", ""
    try:
        header = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
        patient, series = (
            str(header.get(name, "") or "").strip() for name in ("PatientID", "SeriesInstanceUID")
        )
    except Exception as error:  # values are read only now, and pydicom raises all kinds
        raise CorruptImage("The DICOM file's header is damaged. Export it again.") from error
    return patient, series


def _check(dataset: pydicom.Dataset, most: int) -> int:
    """Refuse what is no gray MR image; returns how many frames it has."""
    kind = re.sub("[^A-Z0-9]", "", str(dataset.get("Modality", "") or "MR"))[:16]
    if "PixelData" not in dataset:
        raise UnsupportedImage(f"The DICOM file holds no image ({kind}). Send one MR slice.")
    check_size(int(dataset.Columns), int(dataset.Rows))
    if kind != "MR":
        raise UnsupportedImage(f"The DICOM file is no MR image ({kind}). Send one MR slice.")
    kinds = {"MONOCHROME1", "MONOCHROME2"}
    if int(dataset.SamplesPerPixel) != 1 or dataset.PhotometricInterpretation not in kinds:
        raise UnsupportedImage("The DICOM file holds colours. Send one gray MR slice.")
    count = max(1, int(dataset.get("NumberOfFrames", 1) or 1))
    if count > most:
        raise UnsupportedImage(
            f"The DICOM file holds {count} frames. Send "
            + ("one slice." if most == 1 else f"at most {most}.")
        )
    return count


def _pixels(dataset: pydicom.Dataset, count: int) -> Iterator[NDArray[Any]]:
    """The stored values of each frame."""
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        for index in range(count):
            yield pixel_array(dataset, index=index)
        return
    # Each alone, so that what is unpacked is what was checked, whatever offsets the header has.
    for frame in list(generate_frames(dataset.PixelData, number_of_frames=count))[:count]:
        _check_frame(dataset, frame)
        dataset.PixelData, dataset.NumberOfFrames = encapsulate([frame]), 1
        for name in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
            dataset.pop(name, None)
        yield pixel_array(dataset)


def _header_of_frame(dataset: pydicom.Dataset, index: int) -> pydicom.Dataset:
    """The header with what a frame says for itself, where pydicom looks for it."""
    header = pydicom.Dataset()
    header.update(dataset)
    header.set_original_encoding(*dataset.original_encoding)
    for groups, at in (("Shared", 0), ("PerFrame", index)):
        for group in dataset.get(f"{groups}FunctionalGroupsSequence", [])[at : at + 1]:
            for sequence, names in OF_A_FRAME.items():
                for item in group.get(sequence, [])[:1]:
                    for name in names:
                        if name in item:
                            header[name] = item[name]
    return header


def _check_frame(dataset: pydicom.Dataset, frame: bytes) -> None:
    """Look into a compressed frame: it is unpacked whole, whatever the header's size is."""
    if dataset.file_meta.TransferSyntaxUID == RLELossless:
        _check_runs(frame, int(dataset.Columns) * int(dataset.Rows))
        return
    with Image.open(io.BytesIO(frame), formats=("JPEG", "JPEG2000")) as image:
        check_size(*image.size)


def _check_runs(frame: bytes, pixels: int) -> None:
    """Refuse run lengths (DICOM PS3.5, annex G) that unpack to more than `pixels` a segment.

    Segments must not overlap, and a byte that stands for no pixel counts as one: else a file that
    was made for it keeps a decoder busy for long.
    """
    segments, *starts = struct.unpack_from("<16L", frame)
    bounds = [*starts[:segments], len(frame)]
    if bounds != sorted(bounds):
        raise CorruptImage("The DICOM file's segments are out of order. Export it again.")
    for at, stop in pairwise(bounds):
        unpacked = 0
        while at < stop and unpacked <= pixels + 1:  # a segment is padded to an even length
            control = frame[at]
            unpacked += control + 1 if control < 128 else (257 - control) % 129 or 1
            at += control + 2 if control < 128 else 1 + (control > 128)
        if unpacked > pixels + 1:
            raise CorruptImage("The DICOM file holds more pixels than it says. Export it again.")

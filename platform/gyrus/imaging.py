"""From an encoded image to the array that the model sees, the same in training and serving."""

import io
import struct
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from pydicom.encaps import generate_frames
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.uid import RLELossless

from gyrus.errors import CorruptImage, EmptyUpload, GyrusError, ImageTooLarge, UnsupportedImage
from gyrus.preprocessing import SIZE as SIZE

MAX_PIXELS = 20_000_000
"""More pixels than this are never decoded."""

PERCENTILE_SAMPLE = 2_000_000
"""About so many pixels of a larger image are looked at to find its darkest and brightest."""

FORMATS = ("JPEG", "PNG", "TIFF", "BMP")

DEFLATED = b"1.2.840.10008.1.2.1.99"
"""The transfer syntax that pydicom inflates without a limit: 20 MB of it can become 20 GB."""

Gray = NDArray[np.uint8]


@dataclass(frozen=True)
class Crop:
    """The square window of the upload that the model saw, in the upload's pixels.

    It may reach over the picture's edge, where the model saw black.
    """

    x: int
    y: int
    width: int
    height: int


def decode(data: bytes) -> Gray:
    """Decode an image to gray, shape (rows, columns), uint8.

    Raises:
        EmptyUpload: there are no bytes.
        UnsupportedImage: neither DICOM nor one of `FORMATS`.
        ImageTooLarge: the header tells of more than `MAX_PIXELS`; nothing was decoded.
        CorruptImage: the pixels cannot be read.
    """
    if not data:
        raise EmptyUpload("The file is empty. Choose an image file that has content.")
    if data[128:132] == b"DICM":
        return _decode_dicom(data)
    return _decode_picture(data)


def preprocess(gray: Gray) -> tuple[Gray, Crop]:
    """Crop to the head, pad to a square, resize and blur: what the model sees, and from where.

    Returns a (224, 224) uint8 image and its window in `gray`.
    """
    x, y, width, height = _head(gray)
    side = max(width, height)
    # Resized first and padded then: padding a strip of 1×1,000,000 pixels first would take 1 TB.
    columns, rows = (max(1, round(length * SIZE / side)) for length in (width, height))
    interpolation = cv2.INTER_AREA if side > SIZE else cv2.INTER_LINEAR
    head = gray[y : y + height, x : x + width]
    left, top = (SIZE - columns) // 2, (SIZE - rows) // 2
    square = np.zeros((SIZE, SIZE), np.uint8)
    square[top : top + rows, left : left + columns] = cv2.resize(
        head, (columns, rows), interpolation=interpolation
    )
    window = Crop(x - (side - width) // 2, y - (side - height) // 2, side, side)
    return cv2.GaussianBlur(square, (3, 3), 0).astype(np.uint8), window


def patient_of(data: bytes) -> str:
    """The patient that a decodable DICOM file names, or nothing: for grouping, never to be kept."""
    if data[128:132] != b"DICM":
        return ""
    header = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
    return str(header.get("PatientID", ""))


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """Encode a gray (rows, columns) or BGR(A) image as PNG."""
    ok, encoded = cv2.imencode(".png", image)
    if not ok:
        raise ValueError(f"cannot encode an array of shape {image.shape} as PNG")
    return encoded.tobytes()


def _check_size(columns: int, rows: int) -> None:
    if columns * rows > MAX_PIXELS:
        raise ImageTooLarge(
            f"The image is {columns}×{rows} pixels; at most {MAX_PIXELS // 1_000_000} million are "
            "accepted. Send a smaller copy."
        )


def _decode_picture(data: bytes) -> Gray:
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(*image.size)
            image.load()
            upright = ImageOps.exif_transpose(image)
            if upright.mode in {"RGBA", "LA", "PA"} or "transparency" in upright.info:
                rgba = upright.convert("RGBA")
                black = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
                upright = Image.alpha_composite(black, rgba)
            if upright.mode[0] in "IF":
                return _stretch(np.asarray(upright, dtype=np.float32))
            return np.array(upright.convert("L"), dtype=np.uint8)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLarge(
            "The image has far too many pixels; at most "
            f"{MAX_PIXELS // 1_000_000} million are accepted. Send a smaller copy."
        ) from error
    except UnidentifiedImageError as error:
        raise UnsupportedImage(
            "The file is not an image that Gyrus reads. Send JPEG, PNG, TIFF, BMP or DICOM."
        ) from error
    except GyrusError:
        raise
    except Exception as error:  # damaged files make decoders raise all kinds
        raise CorruptImage(
            "The image is damaged or cut off and cannot be decoded. Export it again."
        ) from error


def _decode_dicom(data: bytes) -> Gray:
    if DEFLATED in data:
        raise UnsupportedImage("The DICOM file is deflated. Export it again, uncompressed.")
    try:
        dataset = pydicom.dcmread(io.BytesIO(data))
        if "PixelData" not in dataset:
            raise UnsupportedImage("The DICOM file holds no image. Send one MR slice.")
        _check_size(int(dataset.Columns), int(dataset.Rows))
        if str(dataset.get("Modality", "MR")) != "MR":
            raise UnsupportedImage("The DICOM file is no MR image. Send one MR slice.")
        if int(dataset.get("NumberOfFrames", 1) or 1) > 1 or int(dataset.SamplesPerPixel) != 1:
            raise UnsupportedImage(
                "The DICOM file holds several frames or colours. Send one gray MR slice."
            )
        if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
            _check_frame(dataset)
        values = apply_modality_lut(dataset.pixel_array, dataset)
        if "WindowWidth" in dataset:
            values = apply_voi_lut(values, dataset)
        gray = _stretch(np.asarray(values, dtype=np.float32))
        return (255 - gray).astype(np.uint8) if _is_inverted(dataset) else gray
    except GyrusError:
        raise
    except Exception as error:  # damaged files make pydicom and its plugins raise all kinds
        raise CorruptImage(
            "The DICOM file is damaged, or packed in a way that Gyrus cannot read. Export it "
            "again, uncompressed."
        ) from error


def _check_frame(dataset: pydicom.Dataset) -> None:
    """Look into a compressed frame: it is unpacked whole, whatever the header's size is."""
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    if dataset.file_meta.TransferSyntaxUID == RLELossless:
        _check_runs(frame, int(dataset.Columns) * int(dataset.Rows))
        return
    with Image.open(io.BytesIO(frame), formats=("JPEG", "JPEG2000")) as image:
        _check_size(*image.size)


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


def _is_inverted(dataset: pydicom.Dataset) -> bool:
    return str(dataset.get("PhotometricInterpretation", "")) == "MONOCHROME1"


def _stretch(values: NDArray[np.float32]) -> Gray:
    """Map the 0.5th to 99.5th percentile of finite values to 0 to 255."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        raise CorruptImage("The image holds no numbers. Export it again.")
    sample = finite[:: max(1, finite.size // PERCENTILE_SAMPLE)]
    low, high = (float(value) for value in np.percentile(sample, (0.5, 99.5)))
    del finite, sample
    scaled = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    scaled -= low
    scaled *= 255 / max(high - low, 1e-6)
    scaled += 0.5
    return np.clip(scaled, 0, 255, out=scaled).astype(np.uint8)


def _head(gray: Gray) -> tuple[int, int, int, int]:
    """The bounding box of the largest bright thing (x, y, width, height), or the whole picture."""
    rows, columns = gray.shape
    scale = min(1.0, 256 / max(rows, columns))
    small_size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    small = cv2.resize(gray, small_size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (5, 5), 0)
    otsu, _ = cv2.threshold(small, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    mask = (small > otsu / 2).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    if count < 2:
        return 0, 0, columns, rows
    x, y, width, height, _ = stats[1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))]
    if width * height < 0.1 * small.size:
        return 0, 0, columns, rows
    left, top = int(x / scale), int(y / scale)
    right = min(columns, int(np.ceil((x + width) / scale)))
    bottom = min(rows, int(np.ceil((y + height) / scale)))
    return left, top, right - left, bottom - top

"""From an encoded image to the array that the model sees, the same in training and serving."""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from gyrus.dicom import MAX_FRAMES, is_dicom, read_frames
from gyrus.errors import CorruptImage, EmptyUpload, GyrusError, ImageTooLarge, UnsupportedImage
from gyrus.gray import MAX_PIXELS, Gray, check_size, stretch
from gyrus.preprocessing import SIZE as SIZE

FORMATS = ("JPEG", "PNG", "TIFF", "BMP")


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
        UnsupportedImage: neither one picture in one of `FORMATS` nor a DICOM file with one gray MR
            slice.
        ImageTooLarge: the header tells of more than `MAX_PIXELS`; nothing was decoded.
        CorruptImage: the pixels cannot be read.
    """
    if not data:
        raise EmptyUpload("The file is empty. Choose an image file that has content.")
    if is_dicom(data):
        return next(read_frames(data, most=1))
    return _decode_picture(data)


def decode_all(data: bytes) -> Iterator[Gray]:
    """Decode the images of a file: one, or the frames of a DICOM file that holds several.

    Raises:
        EmptyUpload, UnsupportedImage, ImageTooLarge, CorruptImage: see `decode`.
    """
    if is_dicom(data):
        yield from read_frames(data, most=MAX_FRAMES)
    else:
        yield decode(data)


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


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """Encode a gray (rows, columns) or BGR(A) image as PNG."""
    ok, encoded = cv2.imencode(".png", image)
    if not ok:
        raise ValueError(f"cannot encode an array of shape {image.shape} as PNG")
    return encoded.tobytes()


def _decode_picture(data: bytes) -> Gray:
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            check_size(*image.size)
            # What a camera's JPEG (MPO) holds besides is the same picture, for a preview.
            if getattr(image, "is_animated", False) and image.format != "MPO":
                raise UnsupportedImage("The file holds several pages or frames. Send one image.")
            image.load()
            upright = ImageOps.exif_transpose(image)
            if upright.mode in {"RGBA", "LA", "PA"} or "transparency" in upright.info:
                rgba = upright.convert("RGBA")
                black = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
                upright = Image.alpha_composite(black, rgba)
            if upright.mode[0] in "IF":
                return stretch(np.asarray(upright, dtype=np.float32))
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

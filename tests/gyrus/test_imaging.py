"""Decoding and preprocessing: what is read, what is refused, and where the head is."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
)

from gyrus.errors import (
    CorruptImage,
    EmptyUpload,
    GyrusError,
    ImageTooLarge,
    UnsupportedImage,
)
from gyrus.imaging import SIZE, decode, encode_png, preprocess
from tests.gyrus.dicom import mr_slice

DATA = Path(os.environ.get("GYRUS_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
DICOM = DATA / "dicom"
READABLE = [
    "MR_small.dcm",
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_expb.dcm",
    "MR_small_implicit.dcm",
    "MR_small_padded.dcm",
]


def needs_dicom(test: Callable[..., None]) -> Callable[..., None]:
    missing = pytest.mark.skipif(not DICOM.is_dir(), reason=f"no DICOM samples in {DICOM}")
    return pytest.mark.real(missing(test))


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def picture() -> Image.Image:
    generator = np.random.default_rng(0)
    return Image.fromarray(generator.integers(0, 256, (40, 60), dtype=np.uint8))


def png_header(columns: int, rows: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0" * 1000)
    chunks = [header, data, b"IEND"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks
    )


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_decode_or_are_refused(data: bytes) -> None:
    check_decodes_or_refuses(data)


@settings(deadline=None)
@given(
    st.sampled_from(["JPEG", "PNG", "TIFF", "BMP", "DICOM"]),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8),
    st.integers(0, 10_000),
)
def test_damaged_images_decode_or_are_refused(
    kind: str, changes: list[tuple[int, int]], kept: int
) -> None:
    whole = mr_slice(np.asarray(picture())) if kind == "DICOM" else encoded(picture(), kind)
    data = bytearray(whole)
    for place, value in changes:
        data[place % len(data)] = value
    check_decodes_or_refuses(bytes(data[: max(1, kept)]))


def check_decodes_or_refuses(data: bytes) -> None:
    try:
        gray = decode(data)
    except GyrusError as error:
        assert error.status in {400, 413, 415, 422}
        assert error.detail.endswith(".")
    else:
        assert gray.dtype == np.uint8
        assert gray.ndim == 2


@settings(deadline=None)
@given(
    st.integers(1, 400), st.integers(1, 400), st.integers(0, 2**32 - 1), st.sampled_from([1, 7, 90])
)
def test_every_picture_becomes_one_size_with_a_window_that_meets_it(
    rows: int, columns: int, seed: int, blocks: int
) -> None:
    small = np.random.default_rng(seed).integers(0, 256, (blocks, blocks), dtype=np.uint8)
    gray = np.asarray(Image.fromarray(small).resize((columns, rows)))
    image, crop = preprocess(gray)
    assert image.shape == (SIZE, SIZE)
    assert image.dtype == np.uint8
    assert crop.width == crop.height > 0
    assert crop.x < columns
    assert crop.y < rows
    assert crop.x + crop.width > 0
    assert crop.y + crop.height > 0


def test_nothing_is_an_empty_upload() -> None:
    with pytest.raises(EmptyUpload):
        decode(b"")


def test_text_is_unsupported() -> None:
    with pytest.raises(UnsupportedImage, match="JPEG, PNG"):
        decode(b"The quick brown fox jumps over the lazy dog. " * 20)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP"])
def test_a_file_cut_in_half_is_corrupt(kind: str) -> None:
    data = encoded(picture(), kind)
    with pytest.raises(CorruptImage):
        decode(data[: len(data) // 2])


@pytest.mark.parametrize("side", [6_400, 10_000, 30_000])
def test_a_bomb_is_refused_by_its_header(side: int) -> None:
    with pytest.raises(ImageTooLarge, match="million"):
        decode(png_header(side, side))


def test_a_long_strip_needs_no_square_of_its_length() -> None:
    image, crop = preprocess(np.full((1, 1_000_000), 200, np.uint8))
    assert image.shape == (SIZE, SIZE)
    assert crop.width == 1_000_000


def test_sixteen_bits_keep_their_contrast() -> None:
    ramp = np.linspace(1000, 3000, 64 * 64).reshape(64, 64).astype(np.uint16)
    gray = decode(encoded(Image.fromarray(ramp)))
    assert gray[0, 0] == 0
    assert gray[-1, -1] == 255
    assert abs(int(gray[32, 0]) - 128) < 4


def test_floats_with_holes_are_stretched() -> None:
    values = np.linspace(-2, 5, 64 * 64, dtype=np.float32).reshape(64, 64)
    values[3, 3], values[4, 4] = np.nan, np.inf
    gray = decode(encoded(Image.fromarray(values), "TIFF"))
    assert gray[3, 3] == 0
    assert gray[4, 4] == 255


def test_floats_that_are_no_numbers_are_corrupt() -> None:
    with pytest.raises(CorruptImage):
        decode(encoded(Image.fromarray(np.full((8, 8), np.nan, np.float32)), "TIFF"))


def test_what_is_transparent_is_black() -> None:
    rgba = np.full((8, 8, 4), 255, np.uint8)
    rgba[:4, :, 3] = 0
    gray = decode(encoded(Image.fromarray(rgba)))
    assert gray[0, 0] == 0
    assert gray[7, 7] == 255


def test_a_palette_is_looked_up() -> None:
    palette = picture().convert("P")
    palette.putpalette([255 - value for value in range(256) for _ in range(3)])
    expected = 255 - np.asarray(picture())
    np.testing.assert_array_equal(decode(encoded(palette)), expected)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_every_mode_becomes_gray(mode: str) -> None:
    image = Image.new("L", (9, 7), 200).convert(mode if mode != "I;16" else "I")
    gray = decode(encoded(image.convert(mode), "TIFF"))
    assert gray.shape == (7, 9)


def test_a_photograph_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    picture().save(buffer, "JPEG", exif=exif)
    assert decode(buffer.getvalue()).shape == (60, 40)


@pytest.mark.parametrize("kind", ["TIFF", "PNG"])
def test_several_pages_or_frames_are_refused(kind: str) -> None:
    others = [picture().rotate(180)]
    with pytest.raises(UnsupportedImage, match="several pages or frames"):
        decode(encoded(picture(), kind, save_all=True, append_images=others))


def test_the_preview_in_a_photograph_is_passed_over() -> None:
    image = picture().convert("RGB")
    data = encoded(image, "MPO", save_all=True, append_images=[image.resize((6, 4))])
    np.testing.assert_array_equal(decode(data), decode(encoded(image, "JPEG")))


def test_the_head_fills_the_image_and_the_window_says_where_it_was() -> None:
    gray = np.zeros((300, 400), np.uint8)
    gray[60:260, 200:350] = 180
    image, crop = preprocess(gray)
    assert (crop.x, crop.y, crop.width) == pytest.approx((175, 60, 200), abs=6)
    assert image[SIZE // 2, SIZE // 2] == 180
    assert image[SIZE // 2, 5] == 0
    assert image[5, SIZE // 2] == pytest.approx(180, abs=2)


def test_png_of_gray_comes_back_the_same() -> None:
    gray = np.asarray(picture())
    np.testing.assert_array_equal(decode(encode_png(gray)), gray)


def test_an_mr_slice_is_stretched() -> None:
    gray = decode(mr_slice(np.linspace(0, 900, 64 * 64).reshape(64, 64)))
    assert (gray.min(), gray.max()) == (0, 255)


def test_monochrome1_is_inverted() -> None:
    pixels = np.linspace(0, 900, 64 * 64).reshape(64, 64)
    inverted = decode(mr_slice(pixels, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(inverted, 255 - decode(mr_slice(pixels)))


def test_a_window_in_the_header_is_used() -> None:
    pixels = np.linspace(0, 900, 64 * 64).reshape(64, 64)
    gray = decode(mr_slice(pixels, WindowCenter=100, WindowWidth=100))
    assert gray[32, 0] == 255


@pytest.mark.parametrize(
    ("attributes", "error"),
    [
        ({"Modality": "CT"}, UnsupportedImage),
        ({"NumberOfFrames": 2}, UnsupportedImage),
        ({"SamplesPerPixel": 3}, UnsupportedImage),
        ({"syntax": DeflatedExplicitVRLittleEndian}, UnsupportedImage),
        ({"Rows": 30_000, "Columns": 30_000}, ImageTooLarge),
        ({"Rows": 60}, CorruptImage),
        ({"BitsAllocated": 7}, CorruptImage),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_dicom_that_cannot_be_used_is_refused(
    attributes: dict[str, object], error: type[GyrusError]
) -> None:
    with pytest.raises(error):
        decode(mr_slice(np.zeros((40, 50)), **attributes))


def encapsulated(frame: bytes, syntax: str, **attributes: object) -> bytes:
    packed = {"syntax": syntax, "PixelData": encapsulate([frame]), **attributes}
    return mr_slice(np.zeros((64, 64)), **packed)


def run_lengths(pixels: int) -> bytes:
    """A frame of one segment with so many zeros (DICOM PS3.5, annex G)."""
    return struct.pack("<16L", 1, 64, *[0] * 14) + b"\x81\0" * (pixels // 128)


def test_run_lengths_decode() -> None:
    data = encapsulated(run_lengths(64 * 64), RLELossless, BitsAllocated=8, BitsStored=8, HighBit=7)
    assert decode(data).shape == (64, 64)


def test_run_lengths_that_unpack_to_more_than_the_header_says_are_refused() -> None:
    with pytest.raises(CorruptImage, match="more pixels"):
        decode(encapsulated(run_lengths(200_000_000), RLELossless))


@pytest.mark.parametrize("starts", [(64, 192, 64, 192), (64, 70, 66), (64, 1_000_000)])
def test_run_lengths_in_overlapping_segments_are_refused(starts: tuple[int, ...]) -> None:
    header = struct.pack("<16L", len(starts), *starts, *[0] * (15 - len(starts)))
    with pytest.raises(CorruptImage, match="out of order"):
        decode(encapsulated(header + run_lengths(64 * 64)[64:], RLELossless))


def test_run_lengths_that_stand_for_nothing_count() -> None:
    header = struct.pack("<16L", 1, 64, *[0] * 14)
    with pytest.raises(CorruptImage, match="more pixels"):
        decode(encapsulated(header + b"\x80" * 10_000, RLELossless))


def test_a_jpeg_larger_than_its_dicom_header_is_measured_before_it_is_decoded() -> None:
    frame = encoded(Image.new("L", (9_000, 9_000)), "JPEG")
    with pytest.raises(ImageTooLarge, match="9000"):
        decode(encapsulated(frame, JPEGBaseline8Bit, BitsAllocated=8, BitsStored=8, HighBit=7))


@needs_dicom
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("name", READABLE)
def test_each_transfer_syntax_gives_the_same_slice(name: str) -> None:
    expected = decode((DICOM / "edge_cases" / "MR_small.dcm").read_bytes())
    gray = decode((DICOM / "edge_cases" / name).read_bytes())
    np.testing.assert_array_equal(gray, expected)


@needs_dicom
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_every_other_dicom_sample_decodes_or_is_refused() -> None:
    for path in sorted((DICOM / "edge_cases").rglob("*.dcm")):
        check_decodes_or_refuses(path.read_bytes())


@needs_dicom
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("path", sorted(DICOM.glob("edge_cases/not_mr_brain/*.dcm")), ids=str)
def test_what_is_no_mr_slice_is_refused(path: Path) -> None:
    with pytest.raises((UnsupportedImage, CorruptImage)):
        decode(path.read_bytes())


@needs_dicom
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_a_truncated_dicom_file_is_corrupt() -> None:
    with pytest.raises(CorruptImage, match="damaged"):
        decode((DICOM / "edge_cases" / "MR_truncated.dcm").read_bytes())


@needs_dicom
def test_a_real_series_decodes() -> None:
    for path in (DICOM / "series").glob("*.dcm"):
        assert decode(path.read_bytes()).std() > 20

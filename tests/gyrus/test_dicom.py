"""DICOM files: windows, frames, what is refused, and series as an import sees them."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import RLELossless

from gyrus.datasets import import_folder
from gyrus.dicom import names_in
from gyrus.errors import CorruptImage, GyrusError, ImageTooLarge, UnsupportedImage
from gyrus.imaging import decode, decode_all, encode_png
from gyrus.phantom import draw
from tests.gyrus.dicom import mr_slice
from tests.gyrus.test_imaging import run_lengths

DATA = Path(os.environ.get("GYRUS_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
DICOM = DATA / "dicom"

RAMP = np.linspace(0, 900, 64 * 64).reshape(64, 64)


def needs_dicom(test: Callable[..., None]) -> Callable[..., None]:
    missing = pytest.mark.skipif(not DICOM.is_dir(), reason=f"no DICOM samples in {DICOM}")
    quiet = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
    return pytest.mark.real(missing(quiet(test)))


def item(**attributes: object) -> Dataset:
    dataset = Dataset()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return dataset


def many_frames(*frames: np.ndarray, **attributes: object) -> bytes:
    pixels = np.stack(frames).astype("<u2").tobytes()
    return mr_slice(frames[0], PixelData=pixels, NumberOfFrames=len(frames), **attributes)


def test_of_several_windows_the_first_is_used() -> None:
    gray = decode(mr_slice(RAMP, WindowCenter=[100, 500], WindowWidth=[100, 400]))
    np.testing.assert_array_equal(gray, decode(mr_slice(RAMP, WindowCenter=100, WindowWidth=100)))
    other = decode(mr_slice(RAMP, WindowCenter=500, WindowWidth=400))
    assert (gray != other).any()


def test_a_window_without_values_is_none() -> None:
    gray = decode(mr_slice(RAMP, WindowCenter=None, WindowWidth=None))
    np.testing.assert_array_equal(gray, decode(mr_slice(RAMP)))


def test_a_window_is_of_rescaled_values() -> None:
    window = {"WindowCenter": 100, "WindowWidth": 101}
    rescaled = decode(mr_slice(RAMP, RescaleSlope="2", RescaleIntercept="-500", **window))
    plain = decode(mr_slice(RAMP, WindowCenter="300.25", WindowWidth=51))
    assert np.abs(rescaled.astype(int) - plain.astype(int)).max() <= 1
    assert rescaled[0, 0] == 0
    assert rescaled[-1, -1] == 255


def test_a_table_stands_for_a_window() -> None:
    falling = np.arange(900, -1, -1, dtype="<u2").tobytes()
    table = item(LUTDescriptor=[901, 0, 16], LUTData=falling)
    looked_up = {"VOILUTSequence": Sequence([table]), "RescaleSlope": 1, "RescaleIntercept": 0}
    gray = decode(mr_slice(np.round(RAMP), **looked_up))
    np.testing.assert_array_equal(gray, decode(mr_slice(900 - np.round(RAMP))))


def test_values_may_have_a_sign() -> None:
    pixels = (RAMP - 450).astype("<i2")
    gray = decode(mr_slice(RAMP, PixelData=pixels.tobytes(), PixelRepresentation=1))
    np.testing.assert_array_equal(gray, decode(mr_slice(pixels + 450)))


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"Modality": "CT"}, r"no MR image \(CT\)"),
        ({"Modality": "<b>" + "X" * 90}, r"no MR image \(XXXXXXXXXXXXXXXX\)"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "colours"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "colours"),
        ({"NumberOfFrames": 2}, "holds 2 frames. Send one slice"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_what_is_no_gray_mr_slice_is_refused_with_its_kind(
    attributes: dict[str, object], words: str
) -> None:
    with pytest.raises(UnsupportedImage, match=words):
        decode(mr_slice(RAMP, **attributes))


def test_what_names_no_modality_counts_as_mr() -> None:
    np.testing.assert_array_equal(decode(mr_slice(RAMP, Modality="")), decode(mr_slice(RAMP)))


def test_each_frame_is_an_image_of_its_own() -> None:
    frames = [RAMP, 900 - RAMP, RAMP.T]
    for gray, frame in zip(decode_all(many_frames(*frames)), frames, strict=True):
        np.testing.assert_array_equal(gray, decode(mr_slice(frame)))
    [only] = decode_all(mr_slice(RAMP))
    np.testing.assert_array_equal(only, decode(mr_slice(RAMP)))


def test_each_frame_has_its_own_window_and_scale() -> None:
    def groups(window: int, slope: int) -> Dataset:
        scale = item(RescaleSlope=slope, RescaleIntercept=0, Rows=30_000)
        return item(
            FrameVOILUTSequence=Sequence([item(WindowCenter=window, WindowWidth=100)]),
            PixelValueTransformationSequence=Sequence([scale]),
        )

    own = Sequence([groups(100, 1), groups(1000, 2), item(Rows=30_000)])
    frames = many_frames(RAMP, RAMP, RAMP, PerFrameFunctionalGroupsSequence=own)
    first, second, third = decode_all(frames)
    window = {"WindowCenter": 100, "WindowWidth": 100}
    np.testing.assert_array_equal(first, decode(mr_slice(RAMP, **window)))
    window = {"WindowCenter": 1000, "WindowWidth": 100, "RescaleSlope": 2, "RescaleIntercept": 0}
    np.testing.assert_array_equal(second, decode(mr_slice(RAMP, **window)))
    np.testing.assert_array_equal(third, decode(mr_slice(RAMP)))


BYTES = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}


def test_each_compressed_frame_is_looked_into() -> None:
    good, bomb = run_lengths(64 * 64), run_lengths(200_000_000)

    def packed(*frames: bytes, **attributes: object) -> bytes:
        return mr_slice(
            np.zeros((64, 64)),
            syntax=RLELossless,
            PixelData=encapsulate(list(frames)),
            **BYTES | {"NumberOfFrames": len(frames)} | attributes,
        )

    assert [gray.shape for gray in decode_all(packed(good, good))] == [(64, 64)] * 2
    with pytest.raises(CorruptImage, match="more pixels"):
        list(decode_all(packed(good, bomb)))
    # Offsets that lead past what was looked into.
    at, length = (8 + len(good)).to_bytes(8, "little"), len(bomb).to_bytes(8, "little")
    offsets = {"ExtendedOffsetTable": at, "ExtendedOffsetTableLengths": length}
    gray = decode(packed(good, bomb, **offsets | {"NumberOfFrames": 1}))
    np.testing.assert_array_equal(gray, decode(packed(good)))


@pytest.mark.parametrize(
    ("attributes", "error"),
    [
        ({"NumberOfFrames": 1001}, UnsupportedImage),
        ({"NumberOfFrames": 5}, CorruptImage),
        ({"NumberOfFrames": "-3", "Rows": 30_000, "Columns": 30_000}, ImageTooLarge),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_frames_that_are_not_there_are_refused(
    attributes: dict[str, object], error: type[GyrusError]
) -> None:
    with pytest.raises(error):
        list(decode_all(mr_slice(RAMP, **attributes)))


@settings(deadline=None)
@given(
    center=st.none() | st.floats(-1e9, 1e9),
    width=st.none() | st.floats(-1e9, 1e9),
    slope=st.none() | st.floats(-1e9, 1e9),
    frames=st.none() | st.integers(-(2**31), 2**31 - 1),
    modality=st.sampled_from(["MR", "", "CT"]),
    photometric=st.sampled_from(["MONOCHROME1", "MONOCHROME2", "RGB", ""]),
)
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_any_header_decodes_or_is_refused(
    center: float | None,
    width: float | None,
    slope: float | None,
    frames: int | None,
    modality: str,
    photometric: str,
) -> None:
    data = mr_slice(
        RAMP[:8, :8],
        WindowCenter=center if center is None else f"{center:.8g}",
        WindowWidth=width if width is None else f"{width:.8g}",
        RescaleSlope=slope if slope is None else f"{slope:.8g}",
        RescaleIntercept=0,
        NumberOfFrames=frames,
        Modality=modality,
        PhotometricInterpretation=photometric,
    )
    try:
        assert {gray.shape for gray in decode_all(data)} == {(8, 8)}
    except GyrusError as error:
        assert error.detail.endswith(".")


def test_a_header_whose_names_cannot_be_read_is_refused() -> None:
    data = mr_slice(RAMP[:8, :8], PatientID="me")
    tag = b"\x10\x00\x20\x00LO"
    assert data.count(tag) == 1
    with pytest.raises(CorruptImage, match="header"):
        names_in(data.replace(tag, tag[:4] + b"FD"))


def test_a_patient_and_a_series_are_named_or_not() -> None:
    named = {"PatientID": "somebody", "SeriesInstanceUID": "1.2.3"}
    assert names_in(mr_slice(RAMP, **named)) == ("somebody", "1.2.3")
    assert names_in(mr_slice(RAMP, **named | {"PatientID": " "})) == ("", "1.2.3")
    assert names_in(mr_slice(RAMP)) == ("", "")
    assert names_in(encode_png(decode(mr_slice(RAMP)))) == ("", "")


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    """Ten patients of each class with two slices each, whose numbers run backwards."""
    for label in ("glioma", "no"):
        for number in range(10):
            folder = tmp_path / "studies" / label / f"patient {number}"
            folder.mkdir(parents=True)
            for place in range(2):
                pixels = draw("glioma" if label == "glioma" else "notumor", seed=number)[0]
                data = mr_slice(
                    np.roll(pixels, 9 * place, 0),
                    SeriesInstanceUID=f"1.2.{number}.{label == 'no':d}",
                    InstanceNumber=9 - place,
                )
                (folder / f"{place}.dcm").write_bytes(data)
    return tmp_path / "studies"


def test_slices_of_a_series_are_of_one_group_and_by_path(studies: Path, tmp_path: Path) -> None:
    dataset = import_folder(studies, tmp_path, "d")
    assert dataset.refused == []
    sources = dataset.column("source")
    assert sources[:4] == [
        f"glioma/patient {number}/{at}.dcm" for number in (0, 1) for at in (0, 1)
    ]
    assert (dataset.groups[::2] == dataset.groups[1::2]).all()
    assert len(set(dataset.groups.tolist())) == 20
    assert set(dataset.column("patient")) == {""}


def test_the_frames_of_a_file_are_images_of_one_group(studies: Path, tmp_path: Path) -> None:
    heads = [draw("meningioma", seed=seed)[0] for seed in range(3)]
    (studies / "glioma" / "several.dcm").write_bytes(many_frames(*heads))
    dataset = import_folder(studies, tmp_path, "d")
    rows = [n for n, source in enumerate(dataset.column("source")) if "several" in source]
    names = [dataset.column("source")[row] for row in rows]
    assert names == [f"glioma/several.dcm#{number}" for number in (1, 2, 3)]
    assert len(set(dataset.groups[rows])) == 1
    assert len({dataset.column("sha256")[row] for row in rows}) == 3


@needs_dicom
def test_real_files_are_imported_or_refused_with_their_kind(studies: Path, tmp_path: Path) -> None:
    for path in [*DICOM.glob("series/*.dcm"), *DICOM.glob("edge_cases/**/*.dcm")]:
        copy = studies / "no" / path.parent.name / path.name
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    dataset = import_folder(studies, tmp_path, "d")
    reasons = {Path(one.source).name: one.reason for one in dataset.refused}
    kinds = {
        "CT_small.dcm": "no MR image (CT)",
        "SC_rgb_rle_2frame.dcm": "no MR image (OT)",
        "examples_palette.dcm": "no MR image (US)",
        "examples_rgb_color.dcm": "no MR image (US)",
        "no_meta.dcm": "not an image",
        "rtplan.dcm": "holds no image (RTPLAN)",
        "waveform_ecg.dcm": "holds no image (ECG)",
        "MR_truncated.dcm": "damaged",
        "MR_small_jpeg_ls_lossless.dcm": "packed in a way that Gyrus cannot read",
    }
    assert set(reasons) == set(kinds)
    for name, words in kinds.items():
        assert words in reasons[name]
    groups = dict(zip(dataset.column("source"), dataset.groups.tolist(), strict=True))
    assert len({groups[name] for name in groups if name.startswith("no/series/")}) == 1
    small = {groups[name] for name in groups if "MR_small" in name}
    assert len(small) == 1

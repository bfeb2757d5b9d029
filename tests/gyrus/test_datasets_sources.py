"""Zip files, Kaggle and addresses as sources of an import."""

import io
import stat
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st
from upath import UPath

from gyrus.cli import run
from gyrus.datasets.sources import source_folder
from gyrus.datasets.unzipping import unzip
from gyrus.errors import InputError, NotFound, Unavailable
from gyrus.imaging import encode_png
from gyrus.phantom import draw

LINK = stat.S_IFLNK | 0o777


def zipped(files: dict[str, bytes], **attributes: Any) -> bytes:
    """A zip file; `attributes` are set on each of its entries, which must be of few bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)
            for attribute, value in attributes.items():
                setattr(entry, attribute, value)
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def heads() -> dict[str, bytes]:
    """Ten files of each class."""
    return {
        f"{label}/{number}.png": encode_png(draw(label, seed=number)[0])
        for label in ("glioma", "notumor")
        for number in range(10)
    }


def files_in(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def images() -> dict[str, bytes]:
    return heads()


@pytest.mark.parametrize("wrapped", ["", "archive/", "archive/Data/"])
def test_a_zip_file_is_imported_whatever_is_wrapped_around_its_classes(
    images: dict[str, bytes],
    wrapped: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    extra = {"__MACOSX/glioma/._0.png": b"what macOS adds", "README.txt": b"beside them"}
    packed = {f"{wrapped}{name}": data for name, data in images.items()}
    (tmp_path / "heads.ZIP").write_bytes(zipped(packed | extra))
    arguments = ["data", "import", str(tmp_path / "heads.ZIP"), "--name", "heads"]
    assert run([*arguments, "--home", str(tmp_path)]) == 0
    assert "heads: 20 images" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "datasets").iterdir()] == ["heads"]


def test_one_folder_of_a_split_is_no_wrapping(images: dict[str, bytes], tmp_path: Path) -> None:
    packed = zipped({f"archive/Training/{name}": data for name, data in images.items()})
    (tmp_path / "a.zip").write_bytes(packed)
    with source_folder(str(tmp_path / "a.zip")) as folder:
        assert [path.name for path in folder.iterdir()] == ["Training"]


def test_one_class_is_no_wrapping(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"yes/1.png": b"x"}))
    with source_folder(str(tmp_path / "a.zip")) as folder:
        assert [path.name for path in folder.iterdir()] == ["yes"]


def test_what_was_unpacked_is_gone_afterwards(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"a/1.png": b"x", "b/1.png": b"y"}))
    with source_folder(str(tmp_path / "a.zip")) as folder:
        assert files_in(folder) == {"a/1.png": b"x", "b/1.png": b"y"}
    assert not folder.exists()


def test_a_zip_file_may_lie_at_an_address() -> None:
    UPath("memory://far/a.zip").write_bytes(zipped({"a/1.png": b"x", "b/1.png": b"y"}))
    with source_folder("memory://far/a.zip") as folder:
        assert files_in(folder) == {"a/1.png": b"x", "b/1.png": b"y"}


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """The address of a web server of the files in `tmp_path`."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_zip_file_is_fetched_from_the_web(web: str, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"a/1.png": b"x", "b/1.png": b"y"}))
    with source_folder(f"{web}/a.zip") as folder:
        assert files_in(folder) == {"a/1.png": b"x", "b/1.png": b"y"}


def encrypted(data: bytes) -> bytes:
    """The same zip file, with the bit set that says that its only entry is encrypted."""
    at = data.index(b"PK\x01\x02") + 8
    return data[:at] + b"\x01" + data[at + 1 :]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (zipped({"../../outside.png": b"x"}), "leads out"),
        (zipped({"/outside.png": b"x"}), "leads out"),
        (zipped({"a\\..\\..\\outside.png": b"x"}), "leads out"),
        (zipped({"C:\\outside.png": b"x"}), "leads out"),
        (zipped({"a/link": b"/etc/passwd"}, external_attr=LINK << 16), "link or device"),
        (zipped({"a/more.ZIP": b"PK"}), "another zip file"),
        (zipped({"a/1.png": b"x" * 30_000, "b/1.png": b"x" * 30_000}), "0.0 GB"),
        (zipped({f"a/{number}.png": b"" for number in range(11)}), "11 files"),
        (zipped({"a": b"x", "a/1.png": b"x"}), "cannot be unpacked"),
        (zipped({f"{'x' * 300}/1.png": b"x"}), "cannot be unpacked"),
        (zipped({"a/" * 1500 + "1.png": b"x"}), "more than 32 folders"),
        (encrypted(zipped({"a/1.png": b"x"})), "encrypted"),
        (zipped({"a/1.png": b"x" * 900})[:-30], "damaged"),
        (b"a text", "no zip file"),
        (b"", "no zip file"),
    ],
)
def test_a_zip_file_that_could_do_harm_is_refused(data: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(data)
    (tmp_path / "inside").mkdir()
    with pytest.raises(InputError, match=words):
        unzip(tmp_path / "a.zip", tmp_path / "inside", max_files=10, max_bytes=50_000)
    assert {path.name for path in tmp_path.iterdir()} == {"a.zip", "inside"}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_path_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a/1.png", b"x")
        archive.writestr("a/1.png", b"y")
    (tmp_path / "inside").mkdir()
    with pytest.raises(InputError, match="cannot be unpacked"):
        unzip(tmp_path / "a.zip", tmp_path / "inside")


def test_other_ways_of_packing_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a/1.png", b"x")
    with pytest.raises(InputError, match="does not read"), source_folder(str(tmp_path / "a.zip")):
        pass


def test_a_file_is_not_read_beyond_the_size_that_it_says(tmp_path: Path) -> None:
    data = zipped({"a/1.png": bytes(1_000_000)})
    # In its own header and in the directory: ten bytes.
    (tmp_path / "a.zip").write_bytes(
        data.replace((1_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    )
    (tmp_path / "inside").mkdir()
    with pytest.raises(InputError, match="damaged"):
        unzip(tmp_path / "a.zip", tmp_path / "inside", max_bytes=1000)
    assert sum(len(data) for data in files_in(tmp_path / "inside").values()) <= 10


names = st.text(st.sampled_from("ab./\\:~ \x00é") | st.characters(codec="utf-8"), max_size=12)


# Names end at a null byte, so two may come to the same.
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@settings(deadline=None)
@example(files={"a": b"1", "a\x00": b"2"}, attributes=0)
@given(
    files=st.dictionaries(names, st.binary(max_size=9), max_size=4),
    attributes=st.just(0) | st.integers(0, 2**32 - 1),
)
def test_no_name_leads_out_of_the_folder(
    files: dict[str, bytes], attributes: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tmp_path = tmp_path_factory.mktemp("zip")
    (tmp_path / "a.zip").write_bytes(zipped(files, external_attr=attributes))
    before = files_in(tmp_path)
    (tmp_path / "inside").mkdir()
    try:
        unzip(tmp_path / "a.zip", tmp_path / "inside")
    except InputError as error:
        assert "a.zip" in error.detail
    unpacked = files_in(tmp_path / "inside")
    assert set(unpacked.values()) <= set(files.values())
    assert not any(path.is_symlink() for path in (tmp_path / "inside").rglob("*"))
    assert files_in(tmp_path) == before | {f"inside/{name}": unpacked[name] for name in unpacked}


@settings(deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8))
def test_a_damaged_zip_file_is_unpacked_or_refused(
    changes: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    tmp_path = tmp_path_factory.mktemp("zip")
    data = bytearray(zipped({"a/1.png": b"x" * 40, "b/1.png": b"y" * 40}))
    for at, value in changes:
        data[at % len(data)] = value
    (tmp_path / "a.zip").write_bytes(data)
    (tmp_path / "inside").mkdir()
    try:
        unzip(tmp_path / "a.zip", tmp_path / "inside", max_bytes=1000)
    except InputError as error:
        assert "a.zip" in error.detail


def test_a_dataset_of_kaggle_is_what_was_downloaded(tmp_path: Path) -> None:
    for label in ("yes", "no"):
        (tmp_path / "brain" / label).mkdir(parents=True)
    asked: list[str] = []

    def fetch(handle: str) -> str:
        asked.append(handle)
        return str(tmp_path)

    with source_folder("kaggle:some-one/brain.mri/versions/2", fetch=fetch) as folder:
        assert folder == tmp_path / "brain"
    assert asked == ["some-one/brain.mri/versions/2"]


@pytest.mark.parametrize("handle", ["", "one", "../../etc", "a/b/c", "a/b/versions/x", "a/..", "/"])
def test_what_can_be_no_dataset_of_kaggle_is_not_asked_for(handle: str) -> None:
    with pytest.raises(InputError, match="kaggle:owner/dataset"), source_folder(f"kaggle:{handle}"):
        pass


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (403, NotFound, "KAGGLE_API_TOKEN"),
        (404, NotFound, "Kaggle has no dataset a/b"),
        (500, Unavailable, "a/b cannot be fetched from Kaggle: it said so"),
        (None, Unavailable, "it said so"),
    ],
)
def test_what_kaggle_refuses_is_an_error_that_says_what_to_do(
    status: int | None, error: type[Exception], words: str
) -> None:
    def fetch(handle: str) -> str:
        response = None
        if status is not None:
            response = requests.Response()
            response.status_code = status
        raise requests.HTTPError("it said so", response=response)

    with pytest.raises(error, match=words), source_folder("kaggle:a/b", fetch=fetch):
        pass

"""Datasets at an address; fsspec's memory stands for an object store."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from upath import UPath

from gyrus import phantom
from gyrus.addresses import address, download, local, upload
from gyrus.cli import run
from gyrus.datasets import Dataset, datasets_at, open_dataset
from gyrus.datasets.dataset import DESCRIPTION
from gyrus.errors import Conflict, InputError, InvalidDataset, NotFound


@pytest.fixture
def store() -> Iterator[UPath]:
    folder = UPath("memory://gyrus")
    yield folder
    folder.fs.rm("/", recursive=True)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("datasets")
    return phantom.generate(folder, name="tiny", patients=32, slices=1)


@pytest.mark.parametrize("given", ["/data/x", "file:///data/x", "/data/y/../x", Path("/data/x")])
def test_a_path_stays_a_path(given: str | Path) -> None:
    assert address(given) == Path("/data/x")
    assert isinstance(address(given), Path)


def test_an_address_is_itself() -> None:
    assert str(address("s3://bucket/gyrus/runs")) == "s3://bucket/gyrus/runs"
    with pytest.raises(InputError, match="nowhere"):
        address("nowhere://bucket")


def test_a_folder_goes_there_and_comes_back(store: UPath, tmp_path: Path) -> None:
    (tmp_path / "one/inner").mkdir(parents=True)
    (tmp_path / "one/a.txt").write_text("a")
    (tmp_path / "one/inner/b.txt").write_text("b")
    upload(tmp_path / "one", store / "two", last="a.txt")
    with local(store / "two") as copy:
        assert (copy / "inner/b.txt").read_text() == "b"
        assert (copy / "a.txt").read_text() == "a"
    assert not copy.exists()
    with local(store / "two/a.txt") as copy:
        assert (copy.name, copy.read_text()) == ("a.txt", "a")
    with local(address(tmp_path)) as same:
        assert same == tmp_path


def test_what_is_not_there_or_leads_elsewhere_is_refused(store: UPath, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="memory://gyrus/none"):
        download(store / "none", tmp_path / "copy")
    with pytest.raises(NotFound), local(address(tmp_path / "none")):
        pass
    store.fs.store["/gyrus/bad/../../up.txt"] = store.fs.open("/gyrus/x", "wb")
    with pytest.raises(InputError, match=r"'\.\.'"):
        download(store / "bad", tmp_path / "copy")


def test_a_dataset_is_copied_once_however_many_open_it(
    dataset: Dataset, store: UPath, tmp_path: Path
) -> None:
    upload(dataset.folder, store / "tiny")
    with ThreadPoolExecutor(4) as pool:
        opened = list(
            pool.map(lambda _: open_dataset(store / "tiny", tmp_path / "cache"), range(4))
        )
    assert {one.digest for one in opened} == {dataset.digest}
    assert len({one.folder for one in opened}) == 1
    np.testing.assert_array_equal(opened[0].images, dataset.images)
    assert isinstance(opened[0].images, np.memmap)
    assert len(list(tmp_path.glob("cache/[!.]*"))) == 1
    for name in ("images.npy", "manifest.parquet", "masks.npy"):
        (store / "tiny" / name).unlink()
    assert open_dataset(store / "tiny", tmp_path / "cache").name == "tiny"


def test_a_dataset_that_was_changed_is_not_opened(
    dataset: Dataset, store: UPath, tmp_path: Path
) -> None:
    upload(dataset.folder, store / "tiny")
    description = json.loads((store / "tiny/dataset.json").read_text())
    (store / "tiny/dataset.json").write_text(json.dumps({**description, "digest": "0" * 64}))
    with pytest.raises(InvalidDataset, match="not what its description says"):
        open_dataset(store / "tiny", tmp_path / "cache")
    assert not list(tmp_path.glob("cache/[!.]*"))
    with pytest.raises(NotFound, match="memory://gyrus/none"):
        open_dataset(store / "none", tmp_path / "cache")


def test_images_of_an_address_become_a_dataset_at_another(
    store: UPath, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for label, kind in (("yes", "glioma"), ("no", "notumor")):
        for number in range(6):
            ok, data = cv2.imencode(".png", phantom.draw(kind, seed=number)[0])
            assert ok
            (store / "mri" / label / f"{number}.png").write_bytes(data.tobytes())
    command = ["data", "import", str(store / "mri"), "--name", "mri"]
    command += ["--to", str(store / "datasets"), "--home", str(tmp_path)]
    assert run(command) == 0, capsys.readouterr().err
    assert run(command) == 2
    assert "A dataset 'mri' exists already" in capsys.readouterr().err
    dataset = open_dataset(store / "datasets/mri", tmp_path / "cache")
    assert dataset.column("source")[0] == "no/0.png"
    assert dataset.images.shape == (12, 224, 224)


@pytest.mark.parametrize("is_far", [False, True])
def test_a_name_that_is_taken_is_told_before_anything_is_copied(
    store: UPath, tmp_path: Path, is_far: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    target = store if is_far else UPath(tmp_path)
    (target / "mri").mkdir(parents=True)
    (target / "mri" / DESCRIPTION).write_text("{}")
    command = ["data", "import", "memory://none", "--name", "mri"]
    assert run([*command, "--to", str(target), "--home", str(tmp_path)]) == 2
    assert "A dataset 'mri' exists already" in capsys.readouterr().err


def test_a_dataset_that_came_meanwhile_is_not_overwritten(store: UPath) -> None:
    target = store / "datasets"
    with pytest.raises(Conflict), datasets_at(target, "mri") as datasets:
        for folder in (UPath(datasets), target):
            (folder / "mri").mkdir(parents=True)
            (folder / "mri" / DESCRIPTION).write_text(str(folder))
    assert (target / "mri" / DESCRIPTION).read_text() == str(target)


@pytest.mark.parametrize(
    ("folder", "words"),
    [("nowhere://bucket", "nowhere"), ("memory://none", "nothing at memory://none")],
)
def test_an_address_that_cannot_be_read_is_bad_input(
    folder: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", "import", folder, "--name", "x", "--home", str(tmp_path)]) == 2
    assert words in capsys.readouterr().err

"""Datasets that cannot train a model: one line that says why, before a process is started."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gyrus.cli import run
from gyrus.datasets.dataset import LEFT_OUT
from gyrus.datasets.trainable import check_trainable
from gyrus.errors import InvalidDataset
from tests.datasets import everywhere, make_dataset

GOOD = everywhere("glioma", "no")


def test_an_image_of_each_kind_in_each_split_is_enough(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path, "d", GOOD)
    check_trainable(dataset)
    dataset.verify()


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ([], "has 0 class"),
        (everywhere("glioma"), "has 1 class"),
        ([*GOOD, (LEFT_OUT, "meningioma")], "no image of meningioma to train on"),
        ([*GOOD, ("test", "meningioma")], "no image of meningioma to train on"),
        ([("train", "glioma"), ("train", "no"), ("test", "no")], "too few images"),
        ([one for one in GOOD if one != ("test", "no")], "test split .* without a tumour"),
        (everywhere("glioma", "meningioma"), "without a tumour"),
        (everywhere("no", "normal"), "with a tumour"),
    ],
)
def test_what_cannot_train_a_model_is_refused_before_anything_is_started(
    images: list[tuple[str, str]],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dataset = make_dataset(tmp_path / "datasets", "d", images)
    with pytest.raises(InvalidDataset, match=words) as raised:
        check_trainable(dataset)
    check_refused_by_the_command(tmp_path, raised.value.detail, capsys)


def cut_the_manifest(folder: Path) -> None:
    path = folder / "manifest.parquet"
    path.write_bytes(path.read_bytes()[:-200])


def change(folder: Path, edit: Callable[[pa.Table], pa.Table]) -> None:
    path = folder / "manifest.parquet"
    pq.write_table(edit(pq.read_table(path)), path)


def drop_a_column(folder: Path) -> None:
    change(folder, lambda table: table.drop_columns(["sha256"]))


def rename_all_columns(folder: Path) -> None:
    change(folder, lambda table: table.rename_columns([f"_{n}" for n in table.column_names]))


def number_a_column(folder: Path) -> None:
    def edit(table: pa.Table) -> pa.Table:
        numbers = pa.array([[number] for number in range(table.num_rows)])
        return table.set_column(table.column_names.index("label"), "label", numbers)

    change(folder, edit)


def drop_a_row(folder: Path) -> None:
    change(folder, lambda table: table.slice(1))


def swap_rows(folder: Path) -> None:
    change(folder, lambda table: pa.concat_tables([table.slice(1), table.slice(0, 1)]))


def change_an_image(folder: Path) -> None:
    images = np.lib.format.open_memmap(folder / "images.npy", "r+")
    images[3, 100, 100] ^= 1
    images.flush()


def cut_the_images(folder: Path) -> None:
    path = folder / "images.npy"
    path.write_bytes(path.read_bytes()[:-1])


def add_half_a_mask(folder: Path) -> None:
    (folder / "masks.npy").write_bytes((folder / "images.npy").read_bytes()[:1000])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut_the_manifest, "manifest.parquet is missing or damaged"),
        (drop_a_column, "has no sha256 of every image"),
        (rename_all_columns, "has no source and no label"),
        (number_a_column, "manifest.parquet is missing or damaged"),
        (drop_a_row, "do not match"),
        (swap_rows, "not what its description says"),
        (change_an_image, "not what its description says"),
        (cut_the_images, "images.npy is missing or damaged"),
        (add_half_a_mask, "masks.npy is missing or damaged"),
    ],
)
def test_a_damaged_dataset_is_refused_before_anything_is_started(
    damage: Callable[[Path], None],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dataset = make_dataset(tmp_path / "datasets", "d", GOOD)
    damage(dataset.folder)
    check_refused_by_the_command(tmp_path, words, capsys)


def check_refused_by_the_command(
    home: Path, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", "--dataset", "d", "--home", str(home)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    [line] = said.err.splitlines()
    assert line.startswith("gyrus: ")
    assert words in line
    assert not (home / "runs").exists()

"""Datasets that train together: one set of classes, groups and a split over all of them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from gyrus.cli import run
from gyrus.datasets import Dataset, import_folder, merge
from gyrus.datasets.labels import common_classes, is_healthy
from gyrus.errors import InvalidDataset
from gyrus.phantom import draw, generate
from tests.gyrus.dicom import mr_slice

KINDS = ["glioma", "meningioma", "pituitary"]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (
            {"yes", "no", "notumor", *KINDS},
            {"yes": KINDS, "no": ["notumor"], "notumor": ["notumor"], **{k: [k] for k in KINDS}},
        ),
        (
            {"yes", "tumor", "no", "healthy"},
            {"yes": ["tumor"], "tumor": ["tumor"], "no": ["healthy"], "healthy": ["healthy"]},
        ),
        ({"glioma", "normal"}, {"glioma": ["glioma"], "normal": ["normal"]}),
        ({"Brain_Tumor", "glioma"}, {"Brain_Tumor": ["glioma"], "glioma": ["glioma"]}),
    ],
)
def test_labels_of_several_sets_are_explained_by_common_classes(
    labels: set[str], classes: dict[str, list[str]]
) -> None:
    assert common_classes(labels) == classes


@pytest.mark.parametrize("label", ["no_tumors", "Normal brain", "healthy", "No Tumor (NT)", "NO"])
def test_labels_that_mean_no_tumour(label: str) -> None:
    assert is_healthy(label)


def write(folder: Path, label: str, kind: str, seeds: range) -> None:
    (folder / label).mkdir(parents=True)
    for seed in seeds:
        assert cv2.imwrite(str(folder / label / f"{seed}.png"), draw(kind, seed=seed)[0])


@pytest.fixture
def parts(tmp_path: Path) -> list[Dataset]:
    """A set of kinds, and one that says yes or no and holds copies of four healthy images."""
    for label in ("glioma", "meningioma", "notumor"):
        write(tmp_path / "kinds", label, label, range(8))
    write(tmp_path / "yesno", "yes", "pituitary", range(8))
    write(tmp_path / "yesno", "no", "notumor", range(4, 12))
    (tmp_path / "yesno" / "no" / "text.png").write_text("no image")
    return [import_folder(tmp_path / name, tmp_path, f"d-{name}") for name in ("kinds", "yesno")]


def test_a_merged_set_knows_what_each_label_allows(parts: list[Dataset], tmp_path: Path) -> None:
    merged = merge(parts, tmp_path, "all")
    assert [one.source for one in merged.refused] == ["d-yesno/no/text.png"]
    assert merged.classes == ["glioma", "meningioma", "notumor"]
    assert merged.tumour_classes == ["glioma", "meningioma"]
    assert not merged.synthetic
    assert np.array_equal(merged.images, np.concatenate([part.images for part in parts]))
    yes = np.array(merged.column("label")) == "yes"
    assert set(merged.labels[yes]) == {-1}
    assert merged.allowed[yes].tolist() == [[True, True, False]] * 8
    assert set(merged.labels[~yes]) == {0, 1, 2}
    assert merged.truth.tolist() == [*parts[0].truth, *parts[1].truth]
    assert set(merged.sources) == {"d-kinds", "d-yesno"}
    merged.verify()
    assert Dataset.open(merged.folder).digest == merged.digest


def test_copies_across_sets_are_one_group_and_never_on_both_sides(
    parts: list[Dataset], tmp_path: Path
) -> None:
    merged = merge(parts, tmp_path, "all")
    sha256 = merged.column("sha256")
    twice = {one for one in sha256 if sha256.count(one) == 2}
    assert len(twice) == 4
    splits = merged.column("split")
    for one in twice:
        first, second = [row for row, value in enumerate(sha256) if value == one]
        assert merged.groups[first] == merged.groups[second]
        assert merged.sources[first] != merged.sources[second]
        assert splits[first] == splits[second]
    for group in set(merged.groups):
        assert len({splits[row] for row in np.flatnonzero(merged.groups == group)}) == 1


def test_a_patient_of_two_imports_is_known_again_and_not_named(
    parts: list[Dataset], tmp_path: Path
) -> None:
    for seed, label in enumerate(("glioma", "no", "yes")):
        data = mr_slice(draw("meningioma", seed=50 + seed)[0], PatientID="somebody")
        folder = tmp_path / ("kinds" if label == "glioma" else "yesno") / label
        (folder / "slice.dcm").write_bytes(data)
    home = tmp_path / "home"
    for name in ("kinds", "yesno"):
        command = ["data", "import", str(tmp_path / name), "--name", name, "--home", str(home)]
        assert run(command) == 0
    ours = [Dataset.open(home / "datasets" / name) for name in ("kinds", "yesno")]
    merged = merge(ours, tmp_path, "all")
    slices = [source.endswith(".dcm") for source in merged.column("source")]
    assert sum(slices) == 3
    assert len(set(merged.groups[slices])) == 1
    assert (merged.groups == merged.groups[slices][0]).sum() == 3
    [nobody, somebody] = sorted(set(merged.column("patient")))
    assert (nobody, len(somebody)) == ("", 32)
    assert b"somebody" not in (merged.folder / "manifest.parquet").read_bytes()
    assert (home / "patients.key").stat().st_mode & 0o777 == 0o600
    others = import_folder(tmp_path / "yesno", tmp_path, "others", home=tmp_path / "else")
    assert somebody not in others.column("patient")


def test_generated_patients_are_known_by_their_seed(tmp_path: Path) -> None:
    drawn = [
        generate(tmp_path, name=f"{seed}-{slices}", patients=20, slices=slices, seed=seed)
        for seed, slices in ((1, 2), (1, 1), (2, 1))
    ]
    merged = merge(drawn, tmp_path, "drawn")
    assert merged.groups[:40:2].tolist() == merged.groups[40:60].tolist()
    assert len(set(merged.groups)) == 40


def test_masks_are_kept_where_all_sets_have_them(parts: list[Dataset], tmp_path: Path) -> None:
    drawn = [
        generate(tmp_path, name=f"drawn-{seed}", patients=20, slices=1, seed=seed)
        for seed in (1, 2)
    ]
    merged = merge(drawn, tmp_path, "drawn")
    assert merged.synthetic
    assert merged.masks is not None
    assert np.array_equal(merged.masks[-20:], np.asarray(drawn[1].masks))
    mixed = merge([drawn[0], parts[0]], tmp_path, "mixed")
    assert (mixed.synthetic, mixed.masks) == (False, None)


def test_the_command_merges_and_says_what_is_wrong(
    parts: list[Dataset], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    (home / "datasets").mkdir(parents=True)
    for part in parts:
        part.folder.rename(home / "datasets" / part.name)
    command = ["data", "merge", "all", "d-kinds", "d-yesno", "--home", str(home)]
    assert run(command) == 0
    assert "40 images" in capsys.readouterr().out
    assert run(command) == 2
    assert "exists already" in capsys.readouterr().err
    assert run([*command[:2], "more", "d-kinds", "d-none", "--home", str(home)]) == 2
    assert "There is no dataset in " in capsys.readouterr().err


@pytest.mark.parametrize("times", [1, 2])
def test_one_set_is_not_merged(parts: list[Dataset], tmp_path: Path, times: int) -> None:
    with pytest.raises(InvalidDataset, match="two datasets"):
        merge(parts[:1] * times, tmp_path, "all")
    assert not (tmp_path / "all").exists()

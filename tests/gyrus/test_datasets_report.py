"""The report on a dataset: its counts, copies, contradictions, probes and page."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from gyrus.cli import run
from gyrus.datasets import Dataset, import_folder, merge
from gyrus.datasets.files import FILES, FileFacts, read_facts, write_facts
from gyrus.datasets.report import Report, report_on
from gyrus.datasets.report_page import render
from gyrus.datasets.shortcuts import border_features, file_features, probe
from gyrus.errors import InvalidDataset
from gyrus.phantom import draw


def write(path: Path, image: np.ndarray, *options: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image, options)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A set in train and test, that shares images between them and contradicts itself.

    Images with tumours are JPEGs, those without are PNGs.
    """
    folder = tmp_path_factory.mktemp("shipped")
    for number in range(12):
        write(folder / "set/train/yes" / f"{number}.jpg", draw("glioma", seed=number)[0])
        write(folder / "set/train/no" / f"{number}.png", draw("notumor", seed=number)[0])
    for number in range(3):
        same = (folder / "set/train/no" / f"{number}.png").read_bytes()
        path = folder / "set/test/no" / f"again {number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(same)
        flipped = draw("glioma", seed=number)[0][:, ::-1]
        write(folder / "set/test/yes" / f"flipped-{number}.jpg", flipped)
    write(folder / "set/test/yes" / "other.jpg", draw("glioma", seed=50)[0])
    wrong = (folder / "set/train/yes/11.jpg").read_bytes()
    (folder / "set/train/no" / "<b>wrong.jpg").write_bytes(wrong)
    return import_folder(folder / "set", folder, "shipped")


@pytest.fixture(scope="module")
def report(shipped: Dataset) -> Report:
    return report_on(shipped)


def test_counts_say_what_is_where(report: Report, shipped: Dataset) -> None:
    assert (report.images, report.groups) == (32, 25)
    assert [(one.label, one.images, one.tumour) for one in report.counts] == [
        ("no", 16, False),
        ("yes", 16, True),
    ]
    for one in report.counts:
        assert sum(one.splits.values()) == one.images
        assert one.splits["left_out"] == 1
        assert {name: n for name, n in one.splits.items() if name != "left_out"} == {
            split: counts[one.label] for split, counts in shipped.counts.items()
        }


def test_copies_are_counted_and_found_between_the_shipped_folders(report: Report) -> None:
    assert report.copies.model_dump() == {
        "sets": 7,
        "beyond_one": 7,
        "equal_files": 4,
        "largest": 2,
    }
    [folders] = report.folders
    assert folders.model_dump() == {
        "part": "shipped/test",
        "other": "shipped/train",
        "images": 7,
        "shared": 6,
        "equal_files": 3,
        "grouped": 6,
        "labels": {"no": 3, "yes": 3},
    }
    assert report.sources == []


def test_contradicting_copies_are_listed(report: Report) -> None:
    [copies] = report.contradictions
    assert {(one.file, one.label) for one in copies} == {
        ("train/no/<b>wrong.jpg", "no"),
        ("train/yes/11.jpg", "yes"),
    }


def test_files_that_give_the_label_away_are_found_out(report: Report) -> None:
    files, border = report.probes
    assert (files.knows, files.images, border.knows, border.images) == ("files", 30, "border", 30)
    assert files.auroc is not None
    assert files.auroc.low > 0.95


def test_merged_sets_are_compared_with_each_other(shipped: Dataset, tmp_path: Path) -> None:
    for number in range(8):
        write(tmp_path / "other/glioma" / f"{number}.png", draw("glioma", seed=number)[0])
        write(tmp_path / "other/healthy" / f"{number}.png", draw("notumor", seed=70 + number)[0])
    other = import_folder(tmp_path / "other", tmp_path / "home", "other")
    merged = merge([shipped, other], tmp_path / "home", "all")
    report = report_on(merged)
    assert [(one.part, one.other, one.shared, one.labels) for one in report.sources] == [
        ("other", "shipped", 8, {"glioma": 8}),
        ("shipped", "other", 11, {"yes": 11}),
    ]
    assert [(one.source, one.images) for one in report.probes if one.knows == "files"] == [
        ("", 46),
        ("other", 16),
        ("shipped", 30),
    ]
    assert report.probes[2].auroc is None  # too few
    assert "yes: " not in render(report, merged)
    assert "shipped: yes" in render(report, merged)


def test_the_page_needs_nothing_beside_it_and_takes_no_name_for_markup(
    report: Report, shipped: Dataset
) -> None:
    page = render(report, shipped)
    HTMLParser().feed(page)
    sources = re.findall(r'src="([^"]{0,22})', page)
    assert set(sources) == {"data:image/png;base64,"}
    assert len(sources) == 2 + 2
    assert not re.search(r"<script|<link|https?:|url\(", page)
    assert "<b>" not in page
    assert "train/no/&lt;b&gt;wrong.jpg" in page


def test_the_command_writes_the_page_and_sums_it_up(
    shipped: Dataset, report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = ["--home", str(tmp_path)]
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "shipped").symlink_to(shipped.folder)
    command = ["data", "report", "shipped", "--output", str(tmp_path / "page.html"), *home]
    assert run(command) == 0
    said = capsys.readouterr().out
    assert "6 of 7 images of shipped/test also stand in shipped/train, 3 as equal files" in said
    assert "train/no/<b>wrong.jpg (no), train/yes/11.jpg (yes)" in said
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert run([*command, "--json"]) == 0
    said_as_json = json.loads(capsys.readouterr().out)
    assert Report.model_validate(said_as_json) == report
    assert run(["data", "report", "none", *home]) == 2
    nowhere = str(tmp_path / "none" / "page.html")
    assert run(["data", "report", "shipped", "--output", nowhere, *home]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert run(["data", "list", *home, "--json"]) == 0
    capsys.readouterr()


def test_facts_that_are_damaged_or_of_other_files_are_refused(tmp_path: Path) -> None:
    assert read_facts(tmp_path, 2) == [None, None]
    write_facts(tmp_path, [None])
    with pytest.raises(InvalidDataset, match="another dataset"):
        read_facts(tmp_path, 2)
    (tmp_path / FILES).write_bytes(b"none of ours")
    with pytest.raises(InvalidDataset, match="damaged"):
        read_facts(tmp_path, 1)


def test_a_probe_finds_what_tells_and_nothing_where_nothing_does() -> None:
    generator = np.random.default_rng(0)
    truth = np.arange(200) % 2 == 1
    groups = np.array([f"g{row // 4}-{row % 2}" for row in range(200)])  # two of each
    told = probe(truth[:, None] + generator.normal(0, 0.3, (200, 1)), truth, groups)
    untold = probe(generator.normal(size=(200, 3)), truth, groups)
    assert told is not None
    assert untold is not None
    assert told.low <= told.value <= told.high
    assert told.low > 0.9
    assert untold.low < 0.5 < untold.high


def test_a_probe_learns_nothing_of_a_group_from_its_other_images() -> None:
    generator = np.random.default_rng(0)
    truth = np.repeat(np.arange(40) % 2 == 1, 5)
    groups = np.repeat([f"g{number}" for number in range(40)], 5)
    of_group = np.repeat(generator.normal(size=(40, 4)), 5, axis=0)
    found = probe(of_group, truth, groups)
    assert found is not None
    assert found.value < 0.75


def test_few_groups_give_no_probe() -> None:
    truth = np.array([True] * 30 + [False] * 9)
    groups = np.array([f"g{row}" for row in range(39)])
    assert probe(truth[:, None].astype(np.float64), truth, groups) is None


def test_features_see_the_padding_and_the_rim_only() -> None:
    image = np.full((224, 224), 90, np.uint8)
    other = image.copy()
    other[8:-8, 8:-8] = 200
    np.testing.assert_array_equal(border_features(image), border_features(other))
    other[:, :20] = 0
    assert border_features(other)[:4].tolist() == [0, 0, 20, 0]
    assert border_features(np.zeros((224, 224), np.uint8)).max() == 0


def test_features_of_files_hold_sizes_and_kinds() -> None:
    facts = [FileFacts(600, 20, 10, "L", "PNG"), FileFacts(100, 10, 10, "RGB", "PNG")]
    assert file_features(facts).tolist() == [
        [600, 20, 10, 2, 3, 1, 0, 1],
        [100, 10, 10, 1, 1, 0, 1, 1],
    ]

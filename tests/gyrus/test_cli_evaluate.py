"""`gyrus evaluate`: a registered model on a dataset of this machine."""

import json
from pathlib import Path

import pytest

from gyrus import phantom
from gyrus.bundle import ONNX, seal
from gyrus.cli import run
from gyrus.registry import Registry
from gyrus.settings import PlatformSettings
from tests.bundles import CARD
from tests.graphs import write_graph
from tests.gyrus.outcomes import RULE


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two datasets, and a registered model that was trained on one that is gone."""
    home: Path = tmp_path_factory.mktemp("home")
    settings = PlatformSettings(home=home)
    registry = Registry(settings.registry_uri, home)
    for number, (name, seed) in enumerate((("small", 5), ("other", 6), ("gone", 7)), start=1):
        dataset = phantom.generate(settings.datasets, name=name, patients=24, slices=1, seed=seed)
        bundle = home / f"bundle-{number}"
        bundle.mkdir()
        write_graph(bundle / ONNX, seed=number)
        about = {"dataset_digest": dataset.digest, "split_digest": dataset.split_digest}
        seal(bundle, CARD.model_validate({**CARD.model_dump(), **RULE.model_dump(), **about}))
        registry.register(bundle, run=name)
    (settings.datasets / "gone" / "dataset.json").unlink()
    return home


def test_a_version_is_evaluated(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["evaluate", "1", "--dataset", "small", "--home", str(home)]
    assert run(asked) == 0
    said = capsys.readouterr()
    assert said.out.startswith("Model version 1 (cnn) on small: ")
    for word in ("auroc", "calibration_error", "miss_rate", "glioma"):
        assert word in said.out
    assert "images were left out" in said.err
    assert run([*asked, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["version"], report["dataset"]) == (1, "small")
    assert report["seen"] + report["evaluation"]["tumour"]["images"] == 24
    assert set(report["evaluation"]["tumour"]["auroc"]) == {"value", "low", "high"}


def test_of_another_dataset_every_image_is_taken(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", "2", "--dataset", "small", "--home", str(home)]) == 0
    said = capsys.readouterr()
    assert "(cnn) on small: 24 images in " in said.out
    assert "left out" not in said.err


def test_nobody_evaluates_by_chance_on_what_a_model_may_know(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["evaluate", "3", "--dataset", "small", "--home", str(home)]
    assert run(asked) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "nobody can say which images it knows" in said.err
    assert run([*asked, "--unchecked"]) == 0
    assert "may be too good" in capsys.readouterr().err


@pytest.mark.parametrize(
    "asked", [["9", "--dataset", "small"], ["1", "--dataset", "none"], ["1"], ["one"]]
)
def test_what_is_not_there_is_bad_input(
    home: Path, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", *asked, "--home", str(home)]) == 2
    assert capsys.readouterr().out == ""

"""Cross-validation with real runs."""

import json
from pathlib import Path

import pytest

from gyrus import phantom
from gyrus.cli import run
from gyrus.registry import Registry

pytestmark = pytest.mark.ray


@pytest.fixture
def home(tmp_path: Path) -> Path:
    phantom.generate(tmp_path / "datasets", name="tiny", patients=40, slices=1, seed=5)
    return tmp_path


@pytest.mark.timeout(900)
def test_each_image_is_judged_by_a_model_that_does_not_know_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "--dataset", "tiny", "--run", "cv", "--folds", "2", "--home", str(home)]
    command += ["--epochs", "1", "--filters", "4", "--batch", "8", "--json"]
    assert run(command) == 0
    *events, found = map(json.loads, capsys.readouterr().out.splitlines())
    assert [one["message"] for one in events if one["kind"] == "done"] == ["fold 1/2", "fold 2/2"]
    assert {fold: one["tumour"]["images"] for fold, one in found["folds"].items()} == {
        "1/2": 20,
        "2/2": 20,
    }
    assert found["together"]["tumour"]["images"] == 40
    assert not Registry(f"sqlite:///{home}/mlflow.db", home).versions()
    # What is done is not done again.
    assert run(command) == 0
    assert json.loads(capsys.readouterr().out) == found


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--folds", "2", "--leave-one-source-out"], "exclude each other"),
        (["--leave-one-source-out"], "its sources are tiny"),
        (["--folds", "90"], "no fold 1 of 90"),
        (["--folds", "2", "--detach"], "--detach starts one run"),
    ],
)
def test_folds_that_there_cannot_be_are_refused(
    home: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert run(["train", "--dataset", "tiny", "--home", str(home), *options]) == 2
    assert words in capsys.readouterr().err
    assert not (home / "runs").exists()

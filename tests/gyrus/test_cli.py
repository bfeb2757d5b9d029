"""The `gyrus` command: what it prints, and its exit codes."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gyrus import __version__
from gyrus.cli import run


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["version"]) == 0
    assert capsys.readouterr().out == f"gyrus {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"],
        ["predict", "/no/such/file"],
        ["up", "--port", "99999999"],
        ["up", "--data", "/no/such/folder"],
        ["train"],
        ["train", "--dataset", "none"],
        ["train", "--resume", "a", "--epochs", "3"],
        ["data", "import", "/no/such/folder", "--name", "x"],
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GYRUS_HOME", str(tmp_path / "home"))
    assert run(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    [line] = lines(said.err)
    assert line.startswith("gyrus: ")


def test_what_is_not_running_is_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(tmp_path)]
    image = tmp_path / "image.png"
    image.write_bytes(b"x")
    assert run(["status", *home]) == 1
    assert run(["status", "--json", *home]) == 1
    assert run(["down", *home]) == 0
    assert run(["predict", str(image), *home]) == 1
    said = capsys.readouterr()
    assert lines(said.out)[0] == "Gyrus is not running."
    assert '"running": false' in said.out
    assert lines(said.err) == ["gyrus: Gyrus is not running here. Start it with `gyrus up`."]


def test_a_generated_dataset_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(tmp_path)]
    assert run(["data", "list", *home]) == 0
    assert "no dataset" in capsys.readouterr().out
    few = ["--patients", "20", "--slices", "1", "--name", "few"]
    assert run(["data", "generate", *few, *home]) == 0
    out = capsys.readouterr().out
    assert "few: 20 images" in out
    assert "without tumour: notumor" in out
    assert run(["data", "list", "--json", *home]) == 0
    [row] = json.loads(capsys.readouterr().out)
    assert (row["name"], row["images"], row["synthetic"]) == ("few", 20, True)
    assert run(["data", "generate", *few, *home]) == 2
    assert lines(capsys.readouterr().err)[0].startswith("gyrus: ")


def test_help_comes_quickly_and_loads_nothing_heavy() -> None:
    code = "import sys; from gyrus.cli import run; run(['--help']); "
    code += "print(sorted({'mlflow', 'cv2', 'ray', 'numpy', 'httpx', 'pandas'} & set(sys.modules)))"
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert lines(done.stdout)[-1] == "[]"
    assert time.monotonic() - start < 10


def test_models_without_any(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(tmp_path)]
    assert run(["models", "list", *home]) == 0
    assert run(["models", "show", *home]) == 2
    assert run(["models", "promote", "4", *home]) == 2
    assert run(["models", "rollback", *home]) == 2
    said = capsys.readouterr()
    assert "There is no model" in said.out
    assert [line[:7] for line in lines(said.err)] == ["gyrus: "] * 3

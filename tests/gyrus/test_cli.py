"""The `gyrus` command: what it prints, and its exit codes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gyrus import __version__
from gyrus.cli import run
from gyrus.cli.train import _follow
from gyrus.launch.jobs import Job, TrainingRequest
from gyrus.launch.local_jobs import LocalTrainings
from gyrus.launch.ports import pick_ports
from gyrus.registry import Registry
from gyrus.settings import PlatformSettings
from tests.bundles import make_bundle
from tests.disk import full_disk


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
        ["train", "--dataset", "none", "--epochs", "0"],
        ["train", "--dataset", "none", "--model", "vgg"],
        ["train", "--resume", "a", "--epochs", "3"],
        ["train", "--resume", "none"],
        ["jobs", "show", "none"],
        ["jobs", "follow", "none"],
        ["jobs", "cancel", "none"],
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


def test_what_is_wrong_with_settings_and_with_runs_is_named_differently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs" / "one").mkdir(parents=True)
    config = {"run": "one", "dataset": "/x/my set", "storage": str(tmp_path / "runs")}
    small = {**config, "dataset": "/x/mine", "batch": 1, "workers": 2}
    for given, words in ((config, "dataset: "), (small, "a batch of 1 is too small for 2")):
        (tmp_path / "runs" / "one" / "config.json").write_text(json.dumps(given))
        assert run(["train", "--resume", "one", "--home", str(tmp_path)]) == 2
        [line] = lines(capsys.readouterr().err)
        assert line.startswith(f"gyrus: {words}")
    monkeypatch.setenv("GYRUS_PORT", "none")
    assert run(["status", "--home", str(tmp_path)]) == 2
    [line] = lines(capsys.readouterr().err)
    assert line.startswith("gyrus: GYRUS_PORT: ")


@pytest.mark.parametrize(
    ("workers", "words"),
    [
        ("5:4", "5 workers at least are more than 4"),
        ("0:4", "--workers: a run needs one worker at least"),
        ("few", "--workers: Input should be a valid integer"),
        ("few:4", "--workers: Input should be a valid integer"),
        ("64", "a batch of 32 is too small for 64 workers"),
    ],
)
def test_workers_are_a_number_or_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], workers: str, words: str
) -> None:
    asked = ["train", "--dataset", "any", "--workers", workers, "--home", str(tmp_path)]
    assert run(asked) == 2
    [line] = lines(capsys.readouterr().err)
    assert line.startswith(f"gyrus: {words}")


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
    shutil.copytree(tmp_path / "datasets" / "few", tmp_path / "datasets" / "copy")
    assert run(["data", "list", "--json", *home]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["copy", "few"]


def test_a_full_disk_leaves_the_page_that_was_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = ["--home", str(tmp_path)]
    few = ["--patients", "20", "--slices", "1", "--name", "few"]
    assert run(["data", "generate", *few, *home]) == 0
    page = tmp_path / "pages" / "page.html"
    page.parent.mkdir()
    page.write_text("the page before")
    link = tmp_path / "link"
    link.symlink_to(page)
    command = ["data", "report", "few", "--output", str(link), *home]
    with full_disk(20_000):
        assert run(command) == 1
    assert page.read_text() == "the page before"
    assert run(command) == 0
    assert page.read_text().startswith("<!doctype html>")
    assert link.is_symlink()
    assert page.stat().st_mode & 0o044
    page.chmod(0o600)
    assert run(command) == 0
    assert page.stat().st_mode & 0o777 == 0o600
    assert list(page.parent.iterdir()) == [page]
    assert run(["data", "report", "few", "--output", "/dev/null", *home]) == 2
    assert "/dev/null cannot be written" in capsys.readouterr().err


def test_trainings_without_any(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(tmp_path)]
    assert run(["jobs", "list", *home]) == 0
    assert "There is no training" in capsys.readouterr().out
    assert run(["jobs", "list", "--json", *home]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_a_training_is_listed_and_shown_with_its_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "datasets" / "few").mkdir(parents=True)
    (tmp_path / "datasets" / "few" / "dataset.json").touch()
    tells = "import sys; from gyrus.progress import Progress; "
    tells += (
        "print(Progress(run='one', kind='failed', message='Too few images.').model_dump_json())"
    )
    tells += "; sys.exit('a warning')"
    settings = PlatformSettings(home=tmp_path)
    trainings = LocalTrainings(settings, command=[sys.executable, "-c", tells])
    trainings.create(TrainingRequest(run="one", dataset="few"))
    home = ["--home", str(tmp_path)]
    assert run(["jobs", "follow", "one", *home]) == 1
    said = capsys.readouterr()
    assert lines(said.out) == ["Training one."]
    assert lines(said.err) == ["gyrus: Too few images."]
    assert run(["jobs", "list", *home]) == 0
    assert "failed" in capsys.readouterr().out
    assert run(["jobs", "show", "one", *home]) == 0
    said = capsys.readouterr()
    assert "mobilenetv2" not in said.out
    assert said.out.endswith("a warning\n")
    assert run(["jobs", "cancel", "one", *home]) == 2


def test_a_training_that_ctrl_c_ends_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "datasets" / "few").mkdir(parents=True)
    (tmp_path / "datasets" / "few" / "dataset.json").touch()
    waits = [sys.executable, "-c", "import time; time.sleep(60)"]
    trainings = LocalTrainings(PlatformSettings(home=tmp_path), command=waits)

    def begin() -> Job:
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        return trainings.create(TrainingRequest(run="one", dataset="few"))

    with pytest.raises(KeyboardInterrupt):
        _follow(trainings, begin, as_json=False)
    assert capsys.readouterr().err == "Stopped. Go on with it: gyrus train --resume one\n"
    assert trainings.get("one").state == "cancelled"


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


@pytest.mark.parametrize(
    ("arguments", "request_"),
    [(["promote", "3"], "POST /v1/models/3/promote"), (["rollback"], "POST /v1/models/rollback")],
)
def test_the_champion_of_a_cluster_is_left_to_its_gateway(
    arguments: list[str],
    request_: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GYRUS_TRACKING_URI", "http://mlflow.example.com")
    assert run(["models", *arguments, "--home", str(tmp_path)]) == 2
    [line] = lines(capsys.readouterr().err)
    assert f"send `{request_}` to their gateway" in line


def test_bootstrap_leaves_a_champion_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = Registry(PlatformSettings(home=tmp_path / "home").registry_uri, tmp_path / "home")
    registry.register(make_bundle(tmp_path / "bundle", b"1"), run="mine")
    registry.promote(1)
    assert run(["bootstrap", "--home", str(tmp_path / "home")]) == 0
    said = capsys.readouterr()
    assert lines(said.out) == ["Model version 1 is champion already: nothing was done."]
    assert not (tmp_path / "home" / "datasets").exists()


def test_a_registry_that_does_not_answer_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [port] = pick_ports(1)
    monkeypatch.setenv("GYRUS_TRACKING_URI", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert run(["bootstrap", "--home", str(tmp_path)]) == 1
    [line] = lines(capsys.readouterr().err)
    assert line.startswith("gyrus: The model registry: ")

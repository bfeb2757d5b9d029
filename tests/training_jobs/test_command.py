"""`python -m training_jobs` with bad input; whole runs stand in tests/integration."""

import io
import json
import shutil
from pathlib import Path

import keras
import pytest
import ray
import tensorflow as tf
from upath import UPath

from gyrus import phantom
from gyrus.bundle import seal
from gyrus.datasets import Dataset
from gyrus.errors import Conflict, NotFound
from gyrus.registry import Registry
from gyrus.settings import PlatformSettings
from tests.bundles import CARD
from tests.datasets import everywhere, make_dataset
from training_jobs.__main__ import main
from training_jobs.config import TrainConfig
from training_jobs.run import _made_before, begun_before, prepare


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["--epochs", "0"], "--epochs"),
        (["--model", "vgg"], "--model"),
        (["--learning-rate", "2"], "--learning-rate: "),
        (["--run", "../up"], "--run"),
        (["--dataset", "nowhere"], "nowhere"),
        (["--model", "mobilenetv2", "--weights", "missing.h5"], "missing.h5"),
        (["--model", "mobilenetv2", "--weights", "nowhere://x"], "nowhere://x: "),
        (["--weights", "missing.h5"], "weights are for mobilenetv2 and resnet50"),
        (["--dataset", "nowhere://x"], "nowhere://x: "),
        (["--resume"], "There is no run"),
        (["--batch", "1", "--workers", "2"], "too small for 2 workers"),
        (["--min-workers", "3", "--workers", "2"], "3 workers at least are more than 2"),
    ],
)
def test_bad_input_ends_with_2_and_a_line_that_says_what(
    asked: list[str],
    words: str,
    small_dataset: Dataset,
    tmp_path: Path,
) -> None:
    usual = ["--run", "one", "--storage", str(tmp_path), "--dataset", str(small_dataset.folder)]
    lines = io.StringIO()
    assert main([*usual, *asked], lines) == 2
    event = json.loads(lines.getvalue())
    assert event["kind"] == "failed"
    assert words in event["message"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (everywhere("glioma"), "1 class"),
        ([*everywhere("glioma", "no"), ("test", "pituitary")], "no image of pituitary"),
        ([("train", "glioma"), ("train", "no"), ("test", "no")], "too few images"),
    ],
)
def test_a_dataset_that_cannot_train_a_model_is_refused_before_ray_starts(
    images: list[tuple[str, str]], words: str, tmp_path: Path
) -> None:
    dataset = make_dataset(tmp_path, "d", images)
    check_refused_before_ray_starts(dataset, tmp_path / "runs", words)


def test_a_dataset_with_a_damaged_manifest_is_refused_before_ray_starts(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path, "d", everywhere("glioma", "no"))
    manifest = dataset.folder / "manifest.parquet"
    whole = manifest.read_bytes()
    manifest.write_bytes(whole[: len(whole) // 2])
    check_refused_before_ray_starts(dataset, tmp_path / "runs", "manifest.parquet")
    other = make_dataset(tmp_path, "other", everywhere("meningioma", "no"))
    manifest.write_bytes((other.folder / "manifest.parquet").read_bytes())
    check_refused_before_ray_starts(dataset, tmp_path / "runs", "does not explain")


def check_refused_before_ray_starts(dataset: Dataset, storage: Path, words: str) -> None:
    lines = io.StringIO()
    asked = ["--run", "one", "--storage", str(storage), "--dataset", str(dataset.folder)]
    assert main(asked, lines) == 2
    [event] = map(json.loads, lines.getvalue().splitlines())
    assert event["kind"] == "failed"
    assert words in event["message"]
    assert not ray.is_initialized()
    assert not storage.exists()


def test_more_workers_than_gpus_are_refused_before_ray_starts(
    small_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["the only one"])
    lines = io.StringIO()
    where = ["--storage", str(tmp_path), "--dataset", str(small_dataset.folder)]
    assert main(["--run", "one", *where, "--workers", "2", "--min-workers", "1"], lines) == 2
    assert "this machine has 1, not 2" in json.loads(lines.getvalue())["message"]
    assert not ray.is_initialized()


@pytest.mark.parametrize("where", ["", "memory://runs"])
def test_a_run_is_resumed_if_it_is_there_only_just_as_it_was_asked(
    small_dataset: Dataset, tmp_path: Path, where: str
) -> None:
    usual = {"run": "one", "storage": where or tmp_path, "dataset": small_dataset.folder}
    config = TrainConfig.model_validate(usual)
    assert begun_before(config) is None
    begun = prepare(config)
    assert begun.digest == small_dataset.digest
    assert [path.name for path in config.folder.iterdir()] == ["config.json"]
    assert begun_before(config) == begun
    with pytest.raises(Conflict, match="is there already"):
        prepare(config)
    with pytest.raises(Conflict, match="asked otherwise"):
        begun_before(TrainConfig.model_validate({**usual, "epochs": 3}))
    with pytest.raises(Conflict, match="another job"):
        begun_before(TrainConfig.model_validate({**usual, "job": "later"}))
    arguments = [word for name, value in usual.items() for word in (f"--{name}", str(value))]
    lines = io.StringIO()
    assert main([*arguments, "--epochs", "3", "--resume-if-exists"], lines) == 2
    assert "asked otherwise" in json.loads(lines.getvalue())["message"]


@pytest.mark.parametrize("resume", ["--resume", "--resume-if-exists"])
def test_a_run_is_not_resumed_on_another_dataset(
    small_dataset: Dataset, tmp_path: Path, resume: str
) -> None:
    folder = tmp_path / "mri"
    shutil.copytree(small_dataset.folder, folder)
    arguments = ["--run", "one", "--storage", str(tmp_path / "runs"), "--dataset", str(folder)]
    prepare(TrainConfig(run="one", storage=UPath(tmp_path / "runs"), dataset=UPath(folder)))
    shutil.rmtree(folder)
    phantom.generate(tmp_path, name="mri", patients=20, seed=9)
    lines = io.StringIO()
    assert main([*arguments, resume], lines) == 2
    assert "another dataset than the run one began on" in json.loads(lines.getvalue())["message"]


# Keras, when it saves them.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_weights_may_lie_at_an_address(small_dataset: Dataset, tmp_path: Path) -> None:
    usual = {"storage": tmp_path, "dataset": small_dataset.folder, "alpha": 0.35}
    far = UPath("memory://weights/own.weights.h5")
    asked = {**usual, "model": "mobilenetv2", "weights": str(far)}
    with pytest.raises(NotFound, match="no weights file memory://weights/own"):
        prepare(TrainConfig.model_validate({**asked, "run": "none"}))
    base = keras.applications.MobileNetV2((224, 224, 3), 0.35, include_top=False, weights=None)
    base.save_weights(tmp_path / "own.weights.h5")
    far.write_bytes((tmp_path / "own.weights.h5").read_bytes())
    prepare(TrainConfig.model_validate({**asked, "run": "one"}))
    assert (tmp_path / "one/config.json").is_file()


@pytest.mark.parametrize("where", ["", "memory://made"])
def test_a_run_whose_model_is_registered_only_names_it(
    small_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setenv("GYRUS_HOME", str(tmp_path))
    monkeypatch.delenv("GYRUS_TRACKING_URI", raising=False)
    settings = PlatformSettings()
    storage = where or str(settings.runs)
    config = TrainConfig.model_validate(
        {"run": "one", "storage": storage, "dataset": small_dataset.folder}
    )
    config = prepare(config)
    bundle = tmp_path / "made"
    bundle.mkdir()
    (bundle / "model.onnx").write_bytes(b"a model")
    card = CARD.model_copy(update={"run": "one", "dataset_digest": small_dataset.digest})
    registry = Registry(settings.registry_uri, settings.home)
    seal(bundle, card.model_copy(update={"created_at": "2026-01-01T00:00:00+00:00"}))
    registry.register(bundle, run="one")
    assert _made_before(config, small_dataset, registry) is None, "its namesake's"
    seal(bundle, card.model_copy(update={"created_at": "2999-01-01T00:00:00+00:00"}))
    registry.register(bundle, run="one")
    lines = io.StringIO()
    assert main(["--run", "one", "--storage", storage, "--resume"], lines) == 0
    event = json.loads(lines.getvalue())
    assert (event["kind"], event["message"]) == ("done", "version 2")

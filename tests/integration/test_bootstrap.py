"""`gyrus bootstrap` as a cluster runs it: again and again, with an MLflow server."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gyrus import phantom
from gyrus.launch.first_model import FIRST_DATASET
from gyrus.launch.local_jobs import LocalTrainings
from gyrus.registry import Registry
from gyrus.settings import PlatformSettings
from tests.bundles import make_bundle

pytestmark = pytest.mark.ray


def test_bootstrap_survives_an_interruption_and_never_undoes_a_promotion(
    uri: str, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    phantom.generate(home / "datasets", name=FIRST_DATASET, patients=32, slices=2, seed=5)
    environment = {**os.environ, "GYRUS_HOME": str(home), "GYRUS_TRACKING_URI": uri}
    environment |= {"PYTHONUNBUFFERED": "1"}
    environment.pop("RAY_ADDRESS", None)
    registry = Registry(uri, tmp_path / "elsewhere")

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "gyrus.cli", "bootstrap"]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    first = start()
    deadline = time.monotonic() + 120
    while not (configs := list(home.glob("runs/*/config.json"))):
        assert first.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    first.send_signal(signal.SIGTERM)  # as an upgrade does, which makes another job
    first.communicate(timeout=60)
    assert first.returncode == 130
    assert registry.champion() is None
    [config] = configs  # the other epochs would take minutes
    config.write_text(json.dumps({**json.loads(config.read_bytes()), "epochs": 1}))

    told, _ = start().communicate(timeout=300)
    assert "epoch 1/1" in told, "it began anew"
    assert told.endswith("It is champion now.\n")
    champion = registry.champion()
    assert champion is not None and champion.version == 1
    [job] = LocalTrainings(PlatformSettings(home=home)).jobs()
    assert (job.state, job.version) == ("succeeded", 1)

    registry.register(make_bundle(tmp_path / "bundle", b"2"), run="better")
    registry.promote(2)
    told, _ = start().communicate(timeout=60)
    assert told == "Model version 2 is champion already: nothing was done.\n"
    assert [one.champion for one in registry.versions()] == [True, False]


def test_the_first_model_knows_a_tumour_when_it_sees_one(tmp_path: Path) -> None:
    settings = PlatformSettings(home=tmp_path)
    environment = {**os.environ, "GYRUS_HOME": str(tmp_path)}
    for name in ("RAY_ADDRESS", "GYRUS_TRACKING_URI"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "gyrus.cli", "bootstrap"]
    subprocess.run(command, env=environment, check=True, timeout=540)
    champion = Registry(settings.registry_uri, tmp_path).champion()
    assert champion is not None
    tumour = champion.card.metrics.tumour
    assert tumour.auroc is not None and tumour.auroc.low > 0.9
    assert tumour.accuracy is not None and tumour.accuracy.low > 0.6

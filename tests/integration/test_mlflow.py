"""The registry and the replicas' way to it, with a real MLflow server that hands out artifacts."""

from pathlib import Path

import pytest

from gyrus.bundle import CARD, verify
from gyrus.errors import InvalidBundle, NotFound, Unavailable
from gyrus.launch.ports import LOOPBACK, pick_ports
from gyrus.launch.replicas import user_config
from gyrus.registry import Registry
from serve_app.champion import Mlflow
from serve_app.inference import ModelConfig
from tests.bundles import make_bundle


def test_a_model_goes_from_a_training_to_the_replicas_without_a_shared_volume(
    uri: str, artifacts: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    training = Registry(uri, tmp_path / "training")
    gateway = Registry(uri, tmp_path / "gateway")
    replica = Mlflow(uri, tmp_path / "replica")
    assert replica.champion() is None
    assert gateway.versions() == []
    with pytest.raises(NotFound):
        gateway.promote(7)

    first = training.register(make_bundle(tmp_path / "b1", b"1" * 9_000_000), run="run-1")
    training.register(make_bundle(tmp_path / "b2", b"2"), run="run-2", params={"epochs": 3})
    assert training.register(tmp_path / "b1", run="again").version == first.version == 1
    assert capfd.readouterr().out == ""
    assert [one.version for one in gateway.versions()] == [2, 1]
    assert replica.champion() is None

    assert gateway.promote(1).champion
    champion = replica.champion()
    assert champion == ModelConfig.model_validate(user_config(gateway.versions()[1]))
    assert verify(replica.fetch(champion), first.digest) == first.card
    second = gateway.promote(2)
    assert [one.champion for one in gateway.versions()] == [True, False]
    assert gateway.rollback().version == 1
    assert replica.champion() == champion
    assert list((tmp_path / "gateway").rglob("*.onnx")) == [], "the gateway downloaded a bundle"

    assert gateway.get(2) == second.model_copy(update={"champion": False})
    assert second.bundle is None
    with gateway.fetched(second) as fetched:
        assert (fetched / "model.onnx").read_bytes() == b"2"
    assert not fetched.exists()

    [card] = [file for file in artifacts.rglob(CARD) if "2" in _graph(file)]
    (card.parent / "model.onnx").write_bytes(b"changed")
    gateway.promote(2)
    damaged = replica.champion()
    assert damaged is not None
    with pytest.raises(InvalidBundle, match=r"model\.onnx"):
        replica.fetch(damaged)
    assert gateway.rollback().version == 1
    card.write_text(card.read_text().replace("0.97", "0.99"))
    with pytest.raises(InvalidBundle, match="card of model version 2"):
        gateway.promote(2)
    card.unlink()
    with pytest.raises(InvalidBundle, match=r"no card\.json of model version 2"):
        gateway.promote(2)
    assert replica.champion() == champion


def test_a_server_knows_what_a_run_made_and_has_its_plots(uri: str, tmp_path: Path) -> None:
    registry = Registry(uri, tmp_path / "gateway")
    made = registry.register(make_bundle(tmp_path / "b", b"drawn"), run="drawn")
    assert registry.made_by("drawn") == made
    assert registry.made_by("none") is None
    assert registry.plot(made.version, "roc") == b"a picture"
    for missing in (made.version, 99):
        with pytest.raises(NotFound):
            registry.plot(missing, "curves")


def test_a_server_that_is_away_is_unavailable(tmp_path: Path) -> None:
    [port] = pick_ports(1)
    with pytest.raises(Unavailable, match="does not answer"):
        Mlflow(f"http://{LOOPBACK}:{port}", tmp_path).champion()


def _graph(card: Path) -> str:
    return (card.parent / "model.onnx").read_bytes()[:9].decode()

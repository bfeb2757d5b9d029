"""The model registry: versions, the champion, promotion and rollback."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from gyrus.addresses import room
from gyrus.bundle import read_card
from gyrus.errors import Conflict, InvalidBundle, NotFound, StorageFull, Unavailable
from gyrus.launch.ports import LOOPBACK, pick_ports
from gyrus.registry import MODEL, Registry
from tests.bundles import make_bundle
from tests.disk import full_disk


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    home = tmp_path / "a home"
    return Registry(f"sqlite:///{home / 'mlflow.db'}", home)


def test_an_empty_registry_has_no_champion(registry: Registry) -> None:
    assert registry.versions() == []
    assert registry.champion() is None
    with pytest.raises(NotFound, match="version 7"):
        registry.get(7)
    with pytest.raises(Conflict):
        registry.rollback()


def test_a_full_disk_leaves_no_version_and_nothing_of_it(
    registry: Registry, tmp_path: Path
) -> None:
    registry.register(make_bundle(tmp_path / "small", b"1"), run="small")
    large = make_bundle(tmp_path / "large", bytes(8_000_000))
    with full_disk(4_000_000), pytest.raises(StorageFull, match="no room left"), room():
        registry.register(large, run="large")
    assert [one.card.run for one in registry.versions()] == ["run"]
    kept = [path for path in registry.home.rglob("bundle") if path.is_dir()]
    assert [registry.versions()[0].bundle] == kept
    assert registry.register(large, run="large").version == 2


def test_register_promote_and_roll_back(registry: Registry, tmp_path: Path) -> None:
    first = registry.register(make_bundle(tmp_path / "b1", b"1"), run="run-1")
    second = registry.register(
        make_bundle(tmp_path / "b2", b"2"), run="run-2", params={"epochs": 3}
    )
    assert [one.version for one in registry.versions()] == [2, 1]
    assert registry.champion() is None
    assert first.card == read_card(tmp_path / "b1")
    assert second.bundle is not None
    assert second.source == str(second.bundle)
    assert (second.bundle / "model.onnx").read_bytes() == b"2"
    assert second.bundle.is_relative_to(registry.home / "mlflow-artifacts")

    assert registry.promote(1).champion
    with pytest.raises(Conflict):
        registry.rollback()
    registry.promote(2)
    registry.promote(2)
    assert [one.champion for one in registry.versions()] == [True, False]

    assert registry.rollback().version == 1
    champion = Registry(registry.tracking_uri, registry.home).champion()
    assert champion is not None and champion.version == 1
    with pytest.raises(Conflict):
        registry.rollback()


def test_a_version_is_found_by_the_run_that_made_it(registry: Registry, tmp_path: Path) -> None:
    assert registry.made_by("run-1") is None
    for number, run in enumerate(["run-1", "run-1", "run-10"]):
        registry.register(make_bundle(tmp_path / f"b{number}", bytes([number])), run=run)
    made = registry.made_by("run-1")
    assert made is not None and made.version == 2
    assert registry.made_by("run") is None


def test_a_registry_that_does_not_answer_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    [port] = pick_ports(1)
    for uri in (f"http://{LOOPBACK}:{port}", f"http://{LOOPBACK}:{port}/404"):
        registry = Registry(uri, tmp_path)
        with pytest.raises(Unavailable, match="MLflow does not answer"):
            registry.made_by("run-1")
        with pytest.raises(Unavailable, match="MLflow does not answer"):
            registry.plot(1, "roc")


def test_a_plot_is_fetched_from_the_bundle(registry: Registry, tmp_path: Path) -> None:
    version = registry.register(make_bundle(tmp_path / "b", b"1"), run="run-1").version
    assert registry.plot(version, "roc") == b"a picture"
    for number, name in ((version, "curves"), (9, "roc")):
        with pytest.raises(NotFound, match=f"{number} has no plot {name}"):
            registry.plot(number, name)


def test_a_rollback_passes_over_deleted_versions(registry: Registry, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        registry.register(make_bundle(tmp_path / str(number), bytes([number])), run="a")
        registry.promote(number)
    MlflowClient(registry.tracking_uri, registry.tracking_uri).delete_model_version(MODEL, "2")
    assert registry.rollback().version == 1
    with pytest.raises(Conflict):
        registry.rollback()


def test_a_champion_that_is_no_model_of_ours_is_none(registry: Registry, tmp_path: Path) -> None:
    registry.promote(registry.register(make_bundle(tmp_path / "b", b"1"), run="a").version)
    client = MlflowClient(registry.tracking_uri, registry.tracking_uri)
    client.delete_model_version_tag(MODEL, "1", "card")
    assert registry.champion() is None


def test_the_same_bundle_registers_once(registry: Registry, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "b", b"1")
    assert registry.register(bundle, run="a") == registry.register(bundle, run="b")


def test_a_changed_bundle_is_neither_registered_nor_promoted(
    registry: Registry, tmp_path: Path
) -> None:
    bundle = make_bundle(tmp_path / "b", b"1")
    model = registry.register(bundle, run="a")
    assert model.bundle is not None
    (model.bundle / "model.onnx").write_bytes(b"other")
    with pytest.raises(InvalidBundle):
        registry.promote(model.version)
    assert registry.champion() is None
    (bundle / "plots/roc.png").unlink()
    with pytest.raises(InvalidBundle, match="roc"):
        registry.register(bundle, run="b")

"""Pictures of a run among its artifacts in MLflow."""

from pathlib import Path

import pytest

from gyrus.errors import NotFound, Unavailable
from gyrus.launch.ports import LOOPBACK, pick_ports
from gyrus.plots import fetch_plot, log_plots
from gyrus.registry import Registry
from tests.bundles import make_bundle


def test_a_plot_is_fetched_as_it_was_kept(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    bundle = make_bundle(tmp_path / "bundle", b"a model")
    version = Registry(uri, tmp_path).register(bundle, run="run-1").version
    with pytest.raises(NotFound, match="no plot roc"):
        fetch_plot(uri, version, "roc")
    plots = tmp_path / "drawn"
    plots.mkdir()
    (plots / "roc.png").write_bytes(b"a picture")
    log_plots(uri, version, plots)
    assert fetch_plot(uri, version, "roc") == b"a picture"
    for missing in (version, 9):
        with pytest.raises(NotFound):
            fetch_plot(uri, missing, "curves")


def test_an_mlflow_that_does_not_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    [port] = pick_ports(1)
    for uri in (f"http://{LOOPBACK}:{port}", f"http://{LOOPBACK}:{port}/404"):
        with pytest.raises(Unavailable):
            fetch_plot(uri, 1, "roc")

import importlib.metadata
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gyrus.launch.ports import LOOPBACK, pick_ports
from gyrus.launch.processes import Processes


def has_server() -> bool:
    """Whether all of MLflow is installed: `mlflow-skinny` has no server."""
    try:
        return bool(importlib.metadata.version("mlflow"))
    except importlib.metadata.PackageNotFoundError:
        return False


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server keeps what is uploaded."""
    return tmp_path_factory.mktemp("artifacts")


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory, artifacts: Path) -> Iterator[str]:
    """The address of an MLflow server that knows nothing yet."""
    if not has_server():
        pytest.skip("MLflow's server is not installed")
    folder = tmp_path_factory.mktemp("mlflow")
    [port] = pick_ports(1)
    processes = Processes(f"tests-{os.getpid()}", folder)
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--workers", "1"),
        *("--host", LOOPBACK, "--port", str(port)),
        *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"),
        *("--artifacts-destination", str(artifacts)),
    ]
    environment = {
        **os.environ,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    processes.start("mlflow", command, environment, folder=folder)
    try:
        wait(f"http://{LOOPBACK}:{port}/health", processes)
        yield f"http://{LOOPBACK}:{port}"
    finally:
        processes.stop_all(["mlflow"], grace=10)


def wait(url: str, processes: Processes) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        processes.check()
        try:
            if httpx.get(url, trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.3)
    pytest.fail("MLflow did not start in time")

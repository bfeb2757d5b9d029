"""Gyrus running for real, and tiers that must not be skipped.

`GYRUS_REQUIRE_TIERS` names the markers whose tests must all run; `.ci/run` sets it. Tests that
start much run one after the other in one process, while another one runs the rest (`pytest -n 2`).
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from gyrus import phantom
from gyrus.launch.ports import pick_ports

ADMIN_PASSWORD = "password of the administrator"

TIERS = {"browser", "cluster", "helm", "mysql", "nodes", "ray", "real"}
REQUIRED = os.environ.get("GYRUS_REQUIRE_TIERS", "").split()

ONE_BY_ONE = {"browser", "mysql", "ray"}

found: Counter[str] = Counter()
skipped: Counter[str] = Counter()


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        tiers = {tier for tier in TIERS if item.get_closest_marker(tier)}
        item.user_properties.append(("tiers", sorted(tiers) or ["unit"]))
        if tiers & ONE_BY_ONE:
            item.add_marker(pytest.mark.xdist_group("processes"))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    # Of other processes' tests, too, of which only the reports come here.
    tiers = dict(report.user_properties)["tiers"]
    if report.when == "setup":
        found.update(tiers)
    if report.skipped and not hasattr(report, "wasxfail"):
        skipped.update(tiers)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.option.collectonly or hasattr(session.config, "workerinput"):
        return
    if any(_complaints()) and session.exitstatus in {
        pytest.ExitCode.OK,
        pytest.ExitCode.NO_TESTS_COLLECTED,
    }:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts = (f"{tier} {found[tier]} ({skipped[tier]} skipped)" for tier in sorted(found))
    terminalreporter.write_line(f"tiers: {', '.join(counts)}")
    for complaint in _complaints():
        terminalreporter.write_line(f"ERROR {complaint}", red=True)


def _complaints() -> list[str]:
    return [
        f"tier {tier} is required: {found[tier]} tests, {skipped[tier]} skipped"
        for tier in REQUIRED
        if skipped[tier] or not found[tier]
    ]


@dataclass(frozen=True)
class Running:
    """A `gyrus up` under test."""

    url: str
    port: int
    pid: int
    home: Path
    environment: dict[str, str]
    admin_password: str

    def gyrus(self, *arguments: str) -> str:
        """Run a `gyrus` command against it; returns what it printed."""
        return run_gyrus(self.environment, *arguments)


def run_gyrus(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "gyrus.cli", *arguments],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """All of Gyrus with a small model that it trained, promoted and serves."""
    home = tmp_path_factory.mktemp("home")
    [port] = pick_ports(1)
    environment = {**os.environ, "GYRUS_HOME": str(home), "GYRUS_PORT": str(port)}
    environment["GYRUS_ADMIN_PASSWORD"] = ADMIN_PASSWORD
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"):
        environment.pop(name, None)
    phantom.generate(home / "datasets", name="small", patients=32, slices=2, seed=5)
    run_gyrus(environment, "train", "--dataset", "small", "--epochs", "2", "--filters", "8")
    run_gyrus(environment, "models", "promote", "1")
    with (home / "up.log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gyrus.cli", "up"], env=environment, stdout=log, stderr=log
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_ready(url, process, home / "up.log")
            yield Running(url, port, process.pid, home, environment, ADMIN_PASSWORD)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(120)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{url}/health/ready").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    pytest.fail(f"Gyrus was not ready in time:\n{log.read_text()}")

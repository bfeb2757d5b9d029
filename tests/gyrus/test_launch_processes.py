"""Children end with their launcher, and so do theirs."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from gyrus.errors import Unavailable
from gyrus.launch.processes import MARK, Processes, members, process_runs, sweep

SLEEP = "import time; time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); "

# A daemon: a session of its own, and its parent is gone.
WITH_DAEMON = f"""
import subprocess, sys
p = subprocess.Popen([sys.executable, "-c", {SLEEP!r}], start_new_session=True)
open("daemon", "w").write(str(p.pid))
{SLEEP}
"""


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    processes = Processes(str(tmp_path), tmp_path / "logs")
    yield processes
    processes.stop_all([], grace=2)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_child_writes_to_its_log_and_its_end_is_noticed(
    processes: Processes, tmp_path: Path
) -> None:
    child = processes.start(
        "teller", python("print('hello'); exit(3)"), os.environ, folder=tmp_path
    )
    child.process.wait()
    assert child.log.read_text() == "hello\n"
    with pytest.raises(Unavailable, match=r"teller ended \(exit code 3\).*teller.log"):
        processes.check()


def test_children_stop_in_the_order_asked(processes: Processes, tmp_path: Path) -> None:
    tell = "import signal, sys; out = open('order', 'a', buffering=1); "
    tell += "signal.signal(signal.SIGTERM, lambda *a: (out.write('{0} '), sys.exit(0))); "
    tell += "open('{0}', 'w').close(); " + SLEEP
    for name in ("first", "second", "third"):
        processes.start(name, python(tell.format(name)), os.environ, folder=tmp_path)
    for name in ("first", "second", "third"):
        wait_for((tmp_path / name).exists)
    processes.stop_all(["third", "first"], grace=5)
    assert (tmp_path / "order").read_text() == "third first second "


def test_a_child_that_does_not_listen_is_killed(processes: Processes, tmp_path: Path) -> None:
    child = processes.start("deaf", python(STUBBORN + SLEEP), os.environ, folder=tmp_path)
    wait_for(lambda: "on" in child.log.read_text())
    processes.stop("deaf", grace=0.3)
    assert child.process.returncode == -9


def test_a_daemon_of_a_child_ends_too(processes: Processes, tmp_path: Path) -> None:
    processes.start("parent", python(WITH_DAEMON), os.environ, folder=tmp_path)
    wait_for(lambda: (tmp_path / "daemon").exists() and (tmp_path / "daemon").read_text() != "")
    daemon = int((tmp_path / "daemon").read_text())
    assert process_runs(daemon)
    processes.stop_all([], grace=2)
    assert not process_runs(daemon)
    assert not members((), processes.mark)


def test_what_a_killed_launcher_left_is_found_by_its_mark(tmp_path: Path) -> None:
    left = subprocess.Popen(python(SLEEP), env={**os.environ, MARK: "killed"})
    other = subprocess.Popen(python(SLEEP), env={**os.environ, MARK: "alive"})
    try:
        wait_for(lambda: [one.pid for one in members((), "killed")] == [left.pid])
        sweep("killed")
        assert not process_runs(left.pid)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
        left.wait()


def test_a_process_that_never_was_does_not_run() -> None:
    gone = next(pid for pid in range(4_000_000, 5_000_000) if not psutil.pid_exists(pid))
    assert not process_runs(gone)

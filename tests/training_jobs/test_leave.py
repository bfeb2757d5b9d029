"""What a pod does before it is taken away; with Ray itself in tests/integration/test_faults.py."""

import subprocess
import sys
from pathlib import Path

import psutil

from training_jobs.leave import drain, is_driver, stop

DRIVER = """
import signal, sys, time
def save(*_):
    time.sleep(0.5)
    open("saved", "w").close()
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
time.sleep(60)
"""


def test_a_driver_is_asked_to_stop_and_waited_for(tmp_path: Path) -> None:
    (tmp_path / "training_jobs.py").write_text(DRIVER)
    command = [sys.executable, "-m", "training_jobs", "--run", "one"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as driver:
        assert driver.stdout is not None
        driver.stdout.readline()
        found = psutil.Process(driver.pid)
        assert is_driver(found)
        assert not is_driver(psutil.Process())
        stop([found], 30)
        assert (tmp_path / "saved").exists()


def test_where_there_is_none_ray_is_told_that_its_node_goes(tmp_path: Path) -> None:
    told = tmp_path / "told"
    tell = "import sys; open(sys.argv[1], 'w').write(' '.join(sys.argv[2:]))"
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1)"]) as raylet:
        command = [sys.executable, "-c", tell, str(told)]
        assert drain(30, [psutil.Process(raylet.pid)], command) == 0
        assert not psutil.pid_exists(raylet.pid)
    assert "DRAIN_NODE_REASON_PREEMPTION" in told.read_text()
    assert told.read_text().endswith("--deadline-remaining-seconds 30")


def test_where_ray_does_not_answer_there_is_nothing_to_wait_for() -> None:
    assert drain(30, [psutil.Process()], [sys.executable, "-c", "raise SystemExit(1)"]) == 1

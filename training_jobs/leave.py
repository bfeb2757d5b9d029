"""`python -m training_jobs.leave`: this pod is taken away, so save what it works on, and wait.

Kubernetes calls it before it ends a pod of a training (`preStop`), and waits for it as long as
`terminationGracePeriodSeconds` says. Where the driver of a run is, that is asked to stop: it exits
when its workers have written a checkpoint, and the operator submits the run again. Elsewhere Ray is
told that the node goes: the workers write a checkpoint, and start again without it.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

import psutil

DRIVER = ["-m", "training_jobs"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Leave; returns 1 where Ray does not answer, so that there is nothing to wait for."""
    parser = argparse.ArgumentParser(prog="python -m training_jobs.leave", description=__doc__)
    parser.add_argument("--seconds", type=int, default=45, help="how long there is time for it")
    seconds = parser.parse_args(arguments).seconds
    here = list(psutil.process_iter())
    if drivers := [one for one in here if is_driver(one)]:
        stop(drivers, seconds)
        return 0
    return drain(seconds, [one for one in here if is_raylet(one)])


def is_driver(process: psutil.Process) -> bool:
    """Whether a process is that of a run."""
    try:
        return bool(process.cmdline()[1:3] == DRIVER)
    except psutil.Error:
        return False


def is_raylet(process: psutil.Process) -> bool:
    """Whether a process is Ray's node itself."""
    try:
        return bool(process.name() == "raylet")
    except psutil.Error:
        return False


def stop(drivers: Sequence[psutil.Process], seconds: float) -> None:
    """Ask the drivers to stop, and wait for them."""
    for driver in drivers:
        with suppress(psutil.NoSuchProcess):  # it has just ended by itself
            driver.terminate()
    psutil.wait_procs(drivers, timeout=seconds)


def drain(
    seconds: int, raylets: Sequence[psutil.Process], command: Sequence[str] = ("ray", "drain-node")
) -> int:
    """Tell Ray that this node goes, and wait for that: one that is empty ends by itself."""
    ends = time.monotonic() + seconds
    asked = ["--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "its pod is ended"]
    asked += ["--deadline-remaining-seconds", str(seconds)]
    try:
        subprocess.run([*command, *asked], check=True, timeout=seconds)
    except (OSError, subprocess.SubprocessError):
        return 1
    psutil.wait_procs(raylets, timeout=max(ends - time.monotonic(), 0))
    return 0


if __name__ == "__main__":
    sys.exit(main())

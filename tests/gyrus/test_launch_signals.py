"""Signals that ask to end, in processes of their own."""

import signal
import subprocess
import sys

import pytest

from gyrus.launch.signals import ENDING

SCRIPT = """
from gyrus.launch.signals import ending_is_noted
with ending_is_noted() as asked:
    print("ready", flush=True)
    asked.wait()
    print("asked", flush=True)
    input()
"""


@pytest.mark.parametrize("number", ENDING)
def test_the_first_signal_is_noted_and_the_next_one_ends(number: signal.Signals) -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", SCRIPT], text=True, **pipes) as process:
        assert process.stdout is not None
        for word in ("ready", "asked"):
            assert process.stdout.readline() == f"{word}\n"
            process.send_signal(number)
        assert process.wait(30) == -number

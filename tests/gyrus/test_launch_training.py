"""Following a training that runs as a process."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gyrus.errors import InputError, TrainingFailed
from gyrus.launch.training import follow, training_command, version_of
from gyrus.progress import Progress

LOG = Path("training.log")


@contextmanager
def telling(events: list[Progress], code: int) -> Iterator[subprocess.Popen[str]]:
    lines = "\n".join(["noise", *(event.model_dump_json() for event in events)])
    script = f"import sys; print({lines!r}); sys.exit({code})"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as process:
        yield process


def test_events_come_in_order_and_the_last_one_names_the_version() -> None:
    events = [
        Progress(run="r", kind="epoch", epoch=1, of=1, loss=0.5),
        Progress(run="r", kind="done", message="version 12"),
    ]
    with telling(events, 0) as process:
        seen = list(follow(process, LOG))
    assert seen == events
    assert version_of(seen[-1]) == 12


@pytest.mark.parametrize(
    ("code", "error"), [(2, InputError), (1, TrainingFailed)], ids=["bad input", "failure"]
)
def test_what_a_failed_run_told_is_raised(code: int, error: type[Exception]) -> None:
    events = [Progress(run="r", kind="failed", message="There is no weights file w.")]
    with telling(events, code) as process, pytest.raises(error, match="no weights file"):
        list(follow(process, LOG))


@pytest.mark.parametrize("code", [0, 1, 2, -9])
def test_a_run_that_ends_silently_has_failed(code: int) -> None:
    with (
        telling([], abs(code)) as process,
        pytest.raises(TrainingFailed, match=r"training\.log"),
    ):
        list(follow(process, LOG))


def test_options_become_arguments() -> None:
    command = training_command("r", Path("/runs"), {"epochs": 3, "resume": True})
    after = command[command.index("training_jobs") + 1 :]
    assert after == ["--run", "r", "--storage", "/runs", "--epochs", "3", "--resume"]

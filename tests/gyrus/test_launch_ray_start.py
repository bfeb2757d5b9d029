"""A Ray head that a busy machine keeps from starting is started again; another failure is one."""

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gyrus.errors import Unavailable
from gyrus.launch.first_model import Reporter
from gyrus.launch.local import LocalLauncher, Options
from gyrus.launch.ports import LOOPBACK, pick_ports
from gyrus.launch.processes import Processes, members, process_runs
from gyrus.launch.ray_head import LATE_AGENT, LATE_NODE, RayHead
from gyrus.launch.ray_start import TRIES, RayStart
from gyrus.progress import Progress
from gyrus.settings import PlatformSettings

SLEEP = "import time; time.sleep(600)"

# A start of which something is left that holds a port, as `ray start` leaves what it began.
FAKE = f"""
import os, subprocess, sys
from pathlib import Path
folder, port, fails, says, raylet_says = sys.argv[1:]
pids = Path(folder, "left")
tries = len(pids.read_text().split()) if pids.exists() else 0
if tries < int(fails):
    holds = "import socket; s = socket.socket(); s.bind(('127.0.0.1', " + port + ")); s.listen();"
    holds += "print(flush=True);" + {SLEEP!r}
    left = subprocess.Popen([sys.executable, "-c", holds], stdout=subprocess.PIPE)
    left.stdout.readline()
    pids.open("a").write(f"{{left.pid}} ")
    logs = Path(folder, "ray", "session_" + str(tries), "logs")
    logs.mkdir(parents=True)
    Path(folder, "ray", "session_latest").symlink_to(logs.parent)
    (logs / "raylet.err").write_text(raylet_says)
    sys.exit(says)
{SLEEP}
"""


@dataclass(frozen=True)
class FakeHead(RayHead):
    """A head that fails so often, and what `ray start` and the raylet then say."""

    fails: int = 0
    says: str = f"Exception: {LATE_NODE} This could happen."
    raylet_says: str = ""

    @property
    def command(self) -> list[str]:
        told = [str(self.folder), str(self.ports.gcs), str(self.fails), self.says, self.raylet_says]
        return [sys.executable, "-c", FAKE, *told]

    def left(self) -> list[int]:
        return [int(pid) for pid in (self.folder / "left").read_text().split()]


class Said:
    """A reporter that remembers the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def stage(self, message: str) -> None:
        pass

    def progress(self, event: Progress) -> None:
        pass

    def count(self, message: str, done: int, of: int) -> None:
        pass

    def note(self, message: str) -> None:
        self.notes.append(message)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    processes = Processes(str(tmp_path), tmp_path / "logs")
    yield processes
    processes.stop_all([], grace=2)


@pytest.fixture
def start(processes: Processes, tmp_path: Path) -> Callable[[RayHead, Reporter], RayStart]:
    return lambda head, said: RayStart(head, processes, os.environ, tmp_path, said)


def head_of(folder: Path, **fake: object) -> FakeHead:
    (folder / "head").mkdir()
    return FakeHead(folder / "token", folder=folder / "head", **fake)  # type: ignore[arg-type]


def check_until(start: RayStart, done: Callable[[], bool] = lambda: False) -> None:
    deadline = time.monotonic() + 60
    while not done():
        start.check()
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("raylet_says", ["", f"Check failed: {LATE_AGENT} dashboard_agent"])
def test_a_head_that_was_too_slow_is_started_again_where_nothing_of_it_is_left(
    start: Callable[..., RayStart], tmp_path: Path, raylet_says: str
) -> None:
    head = head_of(tmp_path, fails=2, raylet_says=raylet_says)
    said = Said()
    starting = start(head, said)
    check_until(starting, lambda: len(said.notes) == 2)
    time.sleep(0.5)
    starting.check()
    assert len(head.left()) == 2
    assert not any(process_runs(pid) for pid in head.left())
    assert not head.session.exists()
    assert ["(2 of 3)" in said.notes[0], "(3 of 3)" in said.notes[1]] == [True, True]


def test_a_third_failure_is_the_last(start: Callable[..., RayStart], tmp_path: Path) -> None:
    head, said = head_of(tmp_path, fails=9), Said()
    with pytest.raises(Unavailable, match=r"ray ended \(exit code 1\).*ray\.log"):
        check_until(start(head, said))
    assert len(head.left()) == TRIES
    assert len(said.notes) == TRIES - 1


@pytest.mark.parametrize(
    "fake",
    [
        {"says": "RuntimeError: Failed to start GCS. The specified port is 23560."},
        {"says": ""},
        {"raylet_says": "Check failed: the object store is larger than the memory"},
    ],
    ids=["another failure", "no word", "the raylet failed"],
)
def test_another_failure_is_not_tried_again(
    start: Callable[..., RayStart], tmp_path: Path, fake: dict[str, str]
) -> None:
    head, said = head_of(tmp_path, fails=1, **fake), Said()
    with pytest.raises(Unavailable, match="ray ended"):
        check_until(start(head, said))
    assert len(head.left()) == 1
    assert said.notes == []


def test_a_head_whose_port_another_program_took_is_not_tried_again(
    start: Callable[..., RayStart], tmp_path: Path
) -> None:
    head, said = head_of(tmp_path, fails=1, raylet_says=LATE_AGENT), Said()
    with socket.socket() as other:
        other.bind((LOOPBACK, head.ports.metrics))
        other.listen()
        with pytest.raises(Unavailable, match="ray ended"):
            check_until(start(head, said))
    assert said.notes == []


def test_the_end_of_another_part_is_still_noticed(
    start: Callable[..., RayStart], processes: Processes, tmp_path: Path
) -> None:
    starting = start(head_of(tmp_path), Said())
    processes.start("other", [sys.executable, "-c", "exit(3)"], os.environ, folder=tmp_path)
    with pytest.raises(Unavailable, match=r"other ended \(exit code 3\)"):
        check_until(starting)


def test_gyrus_up_tries_again_and_leaves_nothing(tmp_path: Path) -> None:
    said = Said()
    starting = LocalLauncher(
        PlatformSettings(home=tmp_path / "home", port=pick_ports(1)[0]),
        Options(train=False),
        said,
        gateway=[sys.executable, "-c", SLEEP],
        ray=lambda token: FakeHead(token, fails=9),
    )
    with pytest.raises(Unavailable, match="ray ended"):
        starting.up()
    assert len(said.notes) == TRIES - 1
    assert not members((), starting.mark)

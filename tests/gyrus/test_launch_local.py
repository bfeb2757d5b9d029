"""`gyrus up`: what it refuses, and that nothing stays behind when a part fails."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gyrus.errors import InputError, Unavailable
from gyrus.launch.instance import RunFolder
from gyrus.launch.local import LocalLauncher, Options, dataset_name
from gyrus.launch.ports import LOOPBACK, pick_ports
from gyrus.launch.processes import members
from gyrus.progress import Progress
from gyrus.settings import PlatformSettings


class Said:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def stage(self, message: str) -> None:
        self.lines.append(message)

    def progress(self, event: Progress) -> None:
        self.lines.append(event.describe())

    def count(self, message: str, done: int, of: int) -> None:
        self.lines.append(message)

    def note(self, message: str) -> None:
        self.lines.append(message)


def launcher(home: Path, port: int, code: str = "", data: Path | None = None) -> LocalLauncher:
    return LocalLauncher(
        PlatformSettings(home=home, port=port),
        Options(data=data, train=False),
        Said(),
        gateway=[sys.executable, "-c", code],
    )


def test_a_taken_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=f"Port {port} is taken"):
            launcher(tmp_path / "home", port).up()
    assert not (tmp_path / "home" / "logs").exists()


def test_data_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder"):
        launcher(tmp_path / "home", 8000, data=tmp_path / "none").up()
    assert not (tmp_path / "home").exists()


@pytest.mark.ray
def test_a_gateway_that_ends_stops_all_and_says_where_to_look(tmp_path: Path) -> None:
    home = tmp_path / "home"
    starting = launcher(home, pick_ports(1)[0], "exit(3)")
    with pytest.raises(Unavailable, match=r"The gateway ended \(exit code 3\).*gateway\.log"):
        starting.up()
    assert not members((), starting.mark)
    assert [path.name for path in (home / "run").iterdir()] == ["lock"]


START = """
import sys
from pathlib import Path
from gyrus.cli.display import Display
from gyrus.launch.local import LocalLauncher, Options
from gyrus.settings import PlatformSettings
settings = PlatformSettings(home=Path(sys.argv[1]), port=int(sys.argv[2]))
silent = [sys.executable, "-c", "import time; time.sleep(600)"]
LocalLauncher(settings, Options(), Display(), gateway=silent).up()
"""


@pytest.mark.ray
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_signal_during_the_start_stops_all(tmp_path: Path, number: signal.Signals) -> None:
    home = tmp_path / "home"
    command = [sys.executable, "-c", START, str(home), str(pick_ports(1)[0])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as starting:
        folder = RunFolder(home)
        deadline = time.monotonic() + 60
        while not (home / "logs" / "ray.log").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        instance = folder.running()
        assert instance is not None
        time.sleep(1)
        os.kill(starting.pid, number)
        starting.communicate(timeout=60)
    assert not members((), instance.mark)
    assert not instance.ray_folder.exists()
    assert not folder.is_running()


def test_a_folders_name_becomes_a_datasets_name() -> None:
    assert dataset_name(Path("/data/Brain MRI (2020)")) == "brain-mri-2020"
    assert dataset_name(Path("/")) == "images"

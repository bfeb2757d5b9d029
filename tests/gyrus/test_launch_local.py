"""`gyrus up`: what it refuses, and that nothing stays behind when a part fails."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gyrus.errors import InputError, Unavailable
from gyrus.launch.first_model import dataset_name
from gyrus.launch.instance import Instance, RunFolder
from gyrus.launch.local import LocalLauncher, Options
from gyrus.launch.ports import LOOPBACK, pick_ports
from gyrus.launch.processes import members
from gyrus.launch.status import read_status
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


KEEPS = """
import os, pathlib
home = pathlib.Path(os.environ["GYRUS_HOME"])
with (home / "given").open("a") as given:
    given.write(os.environ["GYRUS_ADMIN_PASSWORD"] + chr(10))
"""


@pytest.mark.ray
def test_a_password_that_was_not_shown_is_given_again_at_the_next_start(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for _ in range(2):
        with pytest.raises(Unavailable, match="gateway ended"):
            launcher(home, pick_ports(1)[0], KEEPS).up()
    first, second = (home / "given").read_text().splitlines()
    kept = home / "administrator-password"
    assert first == second == kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600


SHOWN = """
import http.server, os
class Page(http.server.BaseHTTPRequestHandler):
    posts = 0
    def do_GET(self):
        if Page.posts:
            os._exit(4)
        self.answer()
    def do_POST(self):
        Page.posts += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer()
        self.wfile.flush()
        import threading
        threading.Timer(1, os._exit, [4]).start()
    def answer(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(os.environ["GYRUS_PORT"])), Page).serve_forever()
"""


@pytest.mark.ray
def test_a_password_is_shown_once_and_a_failure_stands_in_the_status(tmp_path: Path) -> None:
    home = tmp_path / "home"
    starting = launcher(home, pick_ports(1)[0], SHOWN)
    stages: list[str] = []

    class Watching(Said):
        def stage(self, message: str) -> None:
            status = read_status(starting.run.status)
            stages.append(status.stage if status else "")

    said = Watching()
    starting.reporter = said
    with pytest.raises(Unavailable, match=r"exit code 4"):
        starting.up()
    assert [line for line in said.lines if "password" in line]
    assert (home / "administrator").exists()
    assert not (home / "administrator-password").exists()
    assert stages[-1] == "failed"
    asks = "import os, sys; sys.exit('GYRUS_ADMIN_PASSWORD' in os.environ)"
    with pytest.raises(Unavailable, match=r"exit code 0"):
        launcher(home, pick_ports(1)[0], asks).up()


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
    assert re.fullmatch(r"brain-mri-2020-[0-9a-f]{8}", dataset_name(Path("/data/Brain MRI (2020)")))
    assert re.fullmatch(r"images-[0-9a-f]{8}", dataset_name(Path("/")))
    assert len(dataset_name(Path("/data") / ("long" * 50))) == 41


def test_two_folders_of_one_name_are_two_datasets() -> None:
    assert dataset_name(Path("/a/images")) != dataset_name(Path("/b/images"))
    assert dataset_name(Path("/a/images")) == dataset_name(Path("/a/c/../images"))


def test_what_a_killed_instance_wrote_is_gone_before_its_parts_are_ended(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        port = other.getsockname()[1]
        folder = RunFolder(tmp_path / "home")
        folder.path.mkdir(parents=True)
        ray_folder = tmp_path / "ray"
        ray_folder.mkdir()
        folder.write(
            Instance(
                mark="none",
                pid=1,
                port=port,
                url="",
                serve_url="",
                serve_api="",
                ray_address="",
                ray_folder=ray_folder,
            )
        )
        with pytest.raises(InputError, match="is taken"):
            launcher(tmp_path / "home", port).up()
    assert folder.read() is None
    assert not ray_folder.exists()

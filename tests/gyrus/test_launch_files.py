"""The run folder: one instance a home, and files that are never half there."""

import subprocess
import sys
from pathlib import Path

import pytest

from gyrus.errors import Conflict
from gyrus.files import write_whole
from gyrus.launch.instance import Instance, RunFolder
from gyrus.launch.ports import LOOPBACK, is_free, pick_ports
from gyrus.launch.status import Status, read_status, write_status

HOLDER = """
import sys, time
from pathlib import Path
from gyrus.launch.instance import RunFolder
with RunFolder(Path(sys.argv[1])).claim():
    print("held", flush=True)
    time.sleep(600)
"""


def instance(folder: Path) -> Instance:
    return Instance(
        mark="m",
        pid=1,
        port=8000,
        url="http://127.0.0.1:8000",
        serve_url="http://127.0.0.1:8001",
        serve_api="http://127.0.0.1:8002",
        ray_address="127.0.0.1:8003",
        ray_folder=folder,
    )


def test_a_file_is_replaced_whole_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, "one")
    write_whole(path, "two")
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_only_one_may_run_in_a_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    folder = RunFolder(home)
    assert folder.running() is None
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(home)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "held\n"
        folder.write(instance(tmp_path))
        assert folder.running() == instance(tmp_path)
        with (
            pytest.raises(Conflict, match=r"already running at http://127.0.0.1:8000"),
            folder.claim(),
        ):
            pytest.fail("claimed twice")
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    assert folder.running() is None
    assert folder.read() == instance(tmp_path)
    with folder.claim():
        assert folder.is_running()
    assert [path.name for path in folder.path.iterdir()] == ["lock"]
    assert home.stat().st_mode & 0o077 == 0


def test_a_status_is_read_as_it_was_written_and_a_broken_one_is_none(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    assert read_status(path) is None
    write_status(path, Status(stage="training", message="epoch 1/3"))
    assert read_status(path) == Status(stage="training", message="epoch 1/3")
    path.write_text("{")
    assert read_status(path) is None


def test_picked_ports_are_free_and_different() -> None:
    ports = pick_ports(5)
    assert len(set(ports)) == 5
    assert all(is_free(port) for port in ports)
    assert LOOPBACK == "127.0.0.1"

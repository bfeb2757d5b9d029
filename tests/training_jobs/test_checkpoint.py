import errno
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from upath import UPath

from gyrus.addresses import address
from gyrus.errors import StorageFull
from tests.disk import full_disk
from training_jobs.checkpoint import Checkpoints, State
from training_jobs.schedule import Schedule


def state(iterations: int = 77, size: int = 3) -> State:
    arrays = [np.full((2, size), index, np.float32) for index in range(12)]
    return State(
        epoch=4,
        step=3,
        iterations=iterations,
        loss=1.5,
        weights=arrays,
        average=[array * 2 for array in arrays],
        best=arrays[::-1],
        optimizer=[np.array(7, np.int64), *arrays],
        seeds=[np.array([1, 2], np.int64)],
        schedule=Schedule(learning_rate=5e-4, patience=3, best=0.4, since_best=1),
    )


@pytest.fixture(params=["", "memory://checkpoints"], ids=["folder", "address"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[UPath]:
    place = address(request.param or tmp_path)
    yield place
    if request.param:
        place.fs.rm(place.path, recursive=True)


def names(run: UPath) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").iterdir())


def test_a_state_is_read_as_it_was_saved(tmp_path: Path) -> None:
    saved = state()
    saved.save(tmp_path / "one.npz")
    read = State.load(tmp_path / "one.npz")
    assert read.iterations == 77
    np.testing.assert_equal(asdict(read), asdict(saved))


def test_the_last_two_are_kept_and_the_newest_is_read(run: UPath) -> None:
    checkpoints = Checkpoints(run)
    assert checkpoints.newest() == (None, [])
    for iterations in (8, 96, 104):
        checkpoints.save(state(iterations))
    assert names(run) == ["000000096.npz", "000000104.npz"]
    newest, damaged = checkpoints.newest()
    assert newest is not None and not damaged
    assert newest.iterations == 104
    np.testing.assert_equal(asdict(checkpoints.read(96)), asdict(state(96)))


@pytest.mark.parametrize("damage", ["empty", "cut", "changed"])
def test_where_the_last_is_damaged_the_one_before_is_used(run: UPath, damage: str) -> None:
    checkpoints = Checkpoints(run)
    for iterations in (32, 64):
        checkpoints.save(state(iterations))
    last = run / "checkpoints" / "000000064.npz"
    content = bytearray(last.read_bytes())
    middle = len(content) // 2
    content[middle] ^= 1
    last.write_bytes(bytes({"empty": b"", "cut": content[:middle], "changed": content}[damage]))
    newest, damaged = checkpoints.newest()
    assert newest is not None and newest.iterations == 32
    assert damaged == ["000000064.npz"]
    checkpoints.save(state(48))
    assert names(run) == ["000000032.npz", "000000048.npz"], "the damaged one is of no more use"


def test_a_full_disk_leaves_what_is_there_and_nothing_else(tmp_path: Path) -> None:
    checkpoints = Checkpoints(address(tmp_path))
    checkpoints.save(state(32))
    refused = pytest.raises(StorageFull, match=f"no room left.*{os.strerror(errno.EFBIG)}")
    with full_disk(100_000), refused:
        checkpoints.save(state(64, size=100_000))
    assert names(address(tmp_path)) == ["000000032.npz"]
    newest, damaged = checkpoints.newest()
    assert newest is not None and newest.iterations == 32
    assert not damaged


def test_what_a_killed_worker_left_is_cleared_away(tmp_path: Path) -> None:
    checkpoints = Checkpoints(address(tmp_path))
    (tmp_path / "checkpoints" / ".part-killed").mkdir(parents=True)
    (tmp_path / "checkpoints" / ".part-killed" / "000000064.npz").write_bytes(b"half")
    checkpoints.save(state(32))
    assert names(address(tmp_path)) == ["000000032.npz"]

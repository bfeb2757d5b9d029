"""Local training jobs: their state is found again by whoever looks into the run's folder."""

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from pydantic import ValidationError

from gyrus.errors import Conflict, NotFound, TrainingFailed
from gyrus.launch.instance import Instance, RunFolder
from gyrus.launch.jobs import (
    TrainingRequest,
    follow,
    run_name,
    training_arguments,
    version_of,
)
from gyrus.launch.local_jobs import LocalTrainings
from gyrus.locks import hold, is_held
from gyrus.progress import Progress, parse_events
from gyrus.settings import PlatformSettings

TELLS = """
import os, sys, time
from pathlib import Path
from gyrus.progress import Progress
run = sys.argv[sys.argv.index("--run") + 1]
folder = Path(sys.argv[sys.argv.index("--storage") + 1]) / run
def tell(kind, **fields):
    print(Progress(run=run, kind=kind, **fields).model_dump_json(), flush=True)
def config():
    dataset = sys.argv[sys.argv.index("--dataset") + 1]
    (folder / "config.json").write_text(
        '{"run": "%s", "dataset": "%s", "storage": "%s", "job": ""}'
        % (run, dataset, folder.parent)
    )
print("a warning", file=sys.stderr, flush=True)
"""
SUCCEEDS = TELLS + "config(); tell('epoch', epoch=1, of=1); tell('done', message='version 3')"
FAILS = TELLS + "tell('failed', message='There are too few images.'); sys.exit(2)"
DIES = TELLS + "config(); tell('epoch', epoch=1, of=9); os.kill(os.getpid(), 9)"
STAYS = TELLS + "'--resume' in sys.argv or config(); tell('epoch', epoch=1, of=9); time.sleep(600)"
SILENT = "import time; time.sleep(600)"
STARTS = """
import sys
from pathlib import Path
from gyrus.launch.jobs import TrainingRequest
from gyrus.launch.local_jobs import LocalTrainings
from gyrus.settings import PlatformSettings
command = [sys.executable, "-c", sys.argv[2]]
trainings = LocalTrainings(PlatformSettings(home=Path(sys.argv[1])), command=command)
trainings.create(TrainingRequest(run="one", dataset="few"))
"""
SHOWS = TELLS + "print(sorted(k for k in os.environ if k.startswith(('GYRUS', 'RAY_A'))))"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "home"
    (folder / "datasets" / "few").mkdir(parents=True)
    (folder / "datasets" / "few" / "dataset.json").touch()
    yield folder
    for job in trainings(folder).jobs():
        if job.state in {"pending", "running"}:
            trainings(folder).cancel(job.id)


def trainings(home: Path, script: str = "") -> LocalTrainings:
    command = [sys.executable, "-c", script]
    return LocalTrainings(PlatformSettings(home=home), command=command)


def asked(run: str = "one", **fields: object) -> TrainingRequest:
    return TrainingRequest.model_validate({"run": run, "dataset": "few", **fields})


def as_up(home: Path) -> Instance:
    """What a `gyrus up` of this home writes down."""
    return Instance(
        mark="mark",
        pid=os.getpid(),
        port=1,
        url="",
        serve_url="",
        serve_api="",
        ray_address="127.0.0.1:9",
        ray_folder=home,
    )


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_a_run_succeeds_and_its_story_is_kept(home: Path) -> None:
    job = trainings(home, SUCCEEDS).create(asked(epochs=1))
    assert job.state == "pending"
    seen = list(follow(trainings(home), "one"))
    assert [event.kind for event in seen] == ["epoch", "done"]
    assert version_of(seen[-1]) == 3
    # Another launcher knows it all, and so does one that comes later.
    found = trainings(home)
    [job] = found.jobs()
    assert (job.state, job.version, job.progress) == ("succeeded", 3, seen[-1])
    assert job.ended_at == seen[-1].time
    assert job.request == asked(epochs=1)
    assert list(follow(found, "one")) == seen
    assert list(follow(found, "one", seen[0].time)) == seen[1:]
    assert list(follow(found, "one", seen[1].time)) == []
    assert found.log("one") == "a warning\n"


def test_what_a_failed_run_told_is_raised(home: Path) -> None:
    trainings(home, FAILS).create(asked())
    with pytest.raises(TrainingFailed, match="too few images"):
        list(follow(trainings(home), "one"))
    [job] = trainings(home).jobs()
    assert job.state == "failed"
    assert [event.message for event in trainings(home).events("one") if event] == [
        "There are too few images."
    ]


def test_a_run_that_dies_has_failed_and_can_be_resumed(home: Path) -> None:
    trainings(home, DIES).create(asked())
    seen: list[Progress] = []
    with pytest.raises(TrainingFailed, match="before its time"):
        seen.extend(follow(trainings(home), "one"))
    job = trainings(home).get("one")
    assert (job.state, job.version) == ("failed", None)
    assert job.progress is not None
    assert (job.progress.epoch, job.progress.of) == (1, 9)
    resumed = trainings(home, STAYS).resume("one")
    assert resumed.request == asked()
    assert resumed.created_at == job.created_at < resumed.started_at
    wait_for(lambda: trainings(home).get("one").state == "running")


@pytest.mark.parametrize("script", [STAYS, SILENT], ids=["running", "pending"])
def test_a_run_is_cancelled_by_another_process_than_its_own(home: Path, script: str) -> None:
    subprocess.run([sys.executable, "-c", STARTS, str(home), script], check=True)
    found = trainings(home)
    if script == STAYS:
        wait_for(lambda: found.get("one").state == "running")
    assert found.get("one").state in {"pending", "running"}
    found.cancel("one")
    job = found.get("one")
    assert job.state == "cancelled"
    assert not is_held(home / "runs" / "one" / "lock")
    last = [event for event in found.events("one") if event][-1]
    assert (last.kind, last.message) == ("failed", "The run was cancelled.")
    assert list(found.events("one", last.time)) == []
    with pytest.raises(Conflict, match="ended already"):
        found.cancel("one")


def test_one_training_runs_at_a_time(home: Path) -> None:
    found = trainings(home, STAYS)
    found.create(asked())
    with pytest.raises(Conflict, match=r"one runs.*gyrus jobs cancel one"):
        found.create(asked("two"))
    assert not (home / "runs" / "two").exists()
    found.cancel("one")
    found.create(asked("two"))
    assert [job.id for job in found.jobs()] == ["two", "one"]


def test_a_follower_hears_that_nothing_happened(home: Path) -> None:
    trainings(home, SILENT).create(asked())
    events = trainings(home).events("one")
    assert [next(events), next(events)] == [None, None]


def test_what_cannot_be_trained_is_not_started(home: Path) -> None:
    found = trainings(home, STAYS)
    with pytest.raises(NotFound, match="no dataset none"):
        found.create(asked(dataset="none"))
    with pytest.raises(NotFound, match="no weights file"):
        found.create(asked(model="resnet50", weights="missing.h5"))
    for missing in (found.get, found.cancel, found.events, found.resume):
        with pytest.raises(NotFound):
            missing("none")
    with pytest.raises(NotFound, match="no training job one"):
        found.plot("one", "roc")
    with pytest.raises(ValidationError):
        asked("../up")
    assert found.jobs() == []


def test_a_note_of_another_version_hides_no_other_run(home: Path) -> None:
    (home / "runs" / "later").mkdir(parents=True)
    (home / "runs" / "later" / "job.json").write_text('{"request": {"model": "of tomorrow"}}')
    found = trainings(home, STAYS)
    found.create(asked())
    assert [job.id for job in found.jobs()] == ["one"]
    found.cancel("one")


def test_a_run_gets_no_secret_and_the_ray_that_runs(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GYRUS_SERVE_SECRET", "a secret")
    monkeypatch.setenv("RAY_ADDRESS", "elsewhere")
    found = trainings(home, SHOWS)

    def environment(run: str) -> str:
        found.create(asked(run))
        wait_for(lambda: found.get(run).state == "failed")
        return (home / "runs" / run / "events.jsonl").read_text().strip()

    own = ["GYRUS_HOME", "GYRUS_TRACKING_URI", "GYRUS_UP"]
    assert environment("alone") == str(own)
    folder = RunFolder(home)
    with folder.claim():
        folder.write(as_up(home))
        joined = [*own, "RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"]
        assert environment("joined") == str(joined)


def test_a_stop_ends_what_runs_on_its_ray_only(home: Path) -> None:
    found = trainings(home, STAYS)
    found.create(asked())
    found.stop()
    assert found.get("one").state in {"pending", "running"}
    found.cancel("one")
    folder = RunFolder(home)
    with folder.claim():
        folder.write(as_up(home))
        found.create(asked("joined"))
        wait_for(lambda: found.get("joined").state == "running")
        found.stop()
    assert found.get("joined").state == "failed"
    assert not is_held(home / "runs" / "joined" / "lock")


def test_half_a_line_is_read_when_it_is_whole(home: Path) -> None:
    trainings(home, SILENT).create(asked())
    event = Progress(run="one", kind="epoch")
    line = event.model_dump_json() + "\n"
    events = trainings(home).events("one")
    with (home / "runs" / "one" / "events.jsonl").open("a") as file:
        file.write(line[:20])
        file.flush()
        assert next(events) is None
        file.write(line[20:])
        file.flush()
        assert next(events) == event


def test_an_event_with_a_metric_that_is_not_known_is_read_without_it() -> None:
    told = Progress(run="one", kind="epoch", loss=math.nan, metrics={"a": math.nan, "b": 0.5})
    [event] = parse_events(told.model_dump_json())
    assert event == told.model_copy(update={"loss": None, "metrics": {"b": 0.5}})
    assert not parse_events('{"run": "one", "kind": "epoch", "metrics": {"a": "high"}}')
    assert not parse_events('{"run": "one", "kind": "epoch", "metrics": [1]}')


def test_a_lock_is_free_when_its_last_holder_ended(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_held(path)
    with hold(path) as file:
        child = subprocess.Popen([sys.executable, "-c", SILENT], pass_fds=(file.fileno(),))
        with pytest.raises(Conflict), hold(path, seconds=0):
            pass
    assert is_held(path)
    psutil.Process(child.pid).send_signal(signal.SIGKILL)
    child.wait()
    assert not is_held(path)


def test_options_become_arguments() -> None:
    arguments = training_arguments(
        asked(model="resnet50", weights="own.h5", learning_rate=0.01), "/data"
    )
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert given["--run"] == "one"
    assert given["--dataset"] == "/data/datasets/few"
    assert given["--storage"] == "/data/runs"
    assert given["--weights"] == "/data/weights/own.h5"
    assert given["--learning-rate"] == "0.01"
    far = training_arguments(asked(model="resnet50", weights="own.h5"), "s3://bucket/gyrus")
    assert "s3://bucket/gyrus/datasets/few" in far
    assert "s3://bucket/gyrus/weights/own.h5" in far
    assert "s3://bucket/gyrus/runs" in far
    assert "--weights none" in " ".join(training_arguments(asked(), "/data"))


def test_a_runs_name_fits_a_kubernetes_object() -> None:
    name = run_name("Brain_MRI (2020) with a long name", "mobilenetv2")
    assert name.startswith("brain-mri-2020-w-mobilenetv2-")
    assert run_name("mri", "cnn", "5-folds") == "mri-cnn-5-folds"
    assert len(run_name("long" * 16, "mobilenetv2")) <= 47


def test_only_a_last_event_that_names_a_version_has_one() -> None:
    told = [Progress(run="one", kind="done", message=text) for text in ("version 3", "version x")]
    assert [version_of(event) for event in [*told, None]] == [3, None, None]
    assert version_of(Progress(run="one", kind="failed", message="version 3")) is None


def test_only_events_are_read_from_a_mixed_log() -> None:
    event = Progress(run="one", kind="epoch", message="line\u2028separator")
    text = f'noise\n{{"no": "event"}}\n{event.model_dump_json()}\nmore'
    assert parse_events(text) == [event]

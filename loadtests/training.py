"""The contestants of `loadtests.contestants`, side by side: processes that work in turn."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

from gyrus import phantom
from gyrus.errors import NotFound, TrainingFailed
from gyrus.launch.ports import LOOPBACK, pick_ports

ENTRIES = {"keras": ("keras", 1), "one": ("gyrus", 1), "two": ("gyrus", 2), "input": ("input", 1)}
"""Who takes part: a contestant, and how many processes it is."""

PATIENTS = 120
STEPS = 20
INPUT_STEPS = 20
"""Input alone does so many times the steps of the others, or its rounds would be over too soon."""

Round = dict[str, float]
"""How many seconds a step took each entry."""


def measure(
    rounds: int, *, model: str = "mobilenetv2", steps: int = STEPS, patients: int = PATIENTS
) -> list[Round]:
    """Let all entries train on one generated dataset, in turn, `rounds` times.

    Raises:
        NotFound: there is no TensorFlow.
        TrainingFailed: one of them ended before its time.
    """
    if find_spec("tensorflow") is None:
        raise NotFound("The bench of training needs the extra `train`: pip install 'gyrus[train]'.")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        dataset = phantom.generate(Path(folder), patients=patients).folder
        entries = {
            name: stack.enter_context(started(dataset, contestant, model, workers))
            for name, (contestant, workers) in ENTRIES.items()
        }
        return [
            {
                name: _race(name, processes, steps * (INPUT_STEPS if name == "input" else 1))
                for name, processes in entries.items()
            }
            for _ in range(rounds)
        ]


def ratios(rounds: Sequence[Round]) -> dict[str, list[float]]:
    """What each round says of speed, as ratios."""
    pairs = {
        "train.over_keras": ("keras", "one"),
        "train.two_workers_over_one": ("one", "two"),
        "train.input_over_demand": ("one", "input"),
    }
    return {
        key: [seconds[slower] / seconds[faster] for seconds in rounds]
        for key, (slower, faster) in pairs.items()
    }


@contextmanager
def started(
    dataset: Path, contestant: str, model: str, workers: int
) -> Iterator[list[subprocess.Popen[str]]]:
    """The processes of an entry, ready and waiting; nobody else works meanwhile."""
    cluster = {"worker": [f"{LOOPBACK}:{port}" for port in pick_ports(workers)]}
    command = [sys.executable, "-m", "loadtests.contestants", contestant, str(dataset)]
    processes = []
    with ExitStack() as stack:
        for rank in range(workers):
            # GPUs are hidden: what is compared is the work of processors.
            environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
            if workers > 1:
                task = {"type": "worker", "index": rank}
                environment["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})
            process = subprocess.Popen(
                [*command, "--model", model, "--workers", str(workers), "--rank", str(rank)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            processes.append(process)
        for process in processes:
            _answer(process, contestant)
        yield processes


def _race(name: str, processes: Sequence[subprocess.Popen[str]], steps: int) -> float:
    """The seconds a step that the slowest of an entry's processes took."""
    for process in processes:
        assert process.stdin is not None
        print(steps, file=process.stdin, flush=True)
    return max(float(_answer(process, name)) for process in processes) / steps


def _answer(process: subprocess.Popen[str], name: str) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise TrainingFailed(f"The contestant `{name}` ended early; it said above why.")
    return line

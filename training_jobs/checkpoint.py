"""The whole state of a run after a step, in one file, and the files of a run."""

import json
import os
import shutil
import zipfile
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from upath import UPath

from gyrus.addresses import local, reached, upload
from gyrus.progress import Progress
from training_jobs.schedule import Schedule

Arrays = list[NDArray[Any]]
ARRAYS = ("weights", "average", "best", "optimizer", "seeds")

FOLDER = "checkpoints"
KEPT = 2
"""Were the last one damaged, the run would go on from the one before."""

PART = ".part-"
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError)
"""What reading a file raises that is not whole: each array in it has a checksum."""


@dataclass
class State:
    """What a run needs to go on as if nothing had been.

    `epoch` epochs are done and `step` steps of the next one, whose losses sum to `loss`; all steps
    so far are `iterations`. `weights` are the model's, `average` their moving average, `best` the
    average of the best epoch so far; `optimizer` holds all of the optimizer's variables, `seeds`
    the states of dropout's generators. `history` are the events of the epochs, for the curves.
    """

    epoch: int
    step: int
    iterations: int
    loss: float
    weights: Arrays
    average: Arrays
    best: Arrays
    optimizer: Arrays
    seeds: Arrays
    schedule: Schedule
    history: list[Progress] = field(default_factory=list)

    def save(self, file: Path) -> None:
        """Write the state into `file`."""
        arrays = {
            f"{group}_{index:04d}": array
            for group in ARRAYS
            for index, array in enumerate(getattr(self, group))
        }
        rest = {
            "epoch": self.epoch,
            "step": self.step,
            "iterations": self.iterations,
            "loss": self.loss,
            "schedule": asdict(self.schedule),
            "history": [event.model_dump(mode="json") for event in self.history],
        }
        text = np.frombuffer(json.dumps(rest).encode(), np.uint8)
        np.savez(file, allow_pickle=False, rest=text, **arrays)

    @classmethod
    def load(cls, file: Path) -> "State":
        """Read a state that `save` wrote."""
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as saved:
            rest = json.loads(saved["rest"].tobytes())
            groups = {
                group: [saved[name] for name in sorted(saved) if name.startswith(f"{group}_")]
                for group in ARRAYS
            }
        return cls(
            epoch=rest["epoch"],
            step=rest["step"],
            iterations=rest["iterations"],
            loss=rest["loss"],
            schedule=Schedule(**rest["schedule"]),
            history=[Progress.model_validate(event) for event in rest["history"]],
            **groups,
        )


class Checkpoints:
    """The last states of a run, each in a file that is named by its steps.

    Ray Train keeps checkpoints too, but copies them file by file, and names them in a note that it
    empties before it is written: a disk that is full, or a kill in between, would lose them all.
    """

    def __init__(self, run: UPath) -> None:
        self._folder = run / FOLDER

    def save(self, state: State) -> None:
        """Write a state whole or not at all, then delete those before the last two.

        Raises:
            StorageFull: there is no room for it; those before are as they were.
            Unavailable: it cannot be written.
        """
        name = _name(state.iterations)
        here = self._folder if isinstance(self._folder, Path) else None
        with reached(self._folder):
            if here is not None:
                here.mkdir(exist_ok=True)
                for left in here.glob(f"{PART}*"):  # by a worker that was killed
                    shutil.rmtree(left, ignore_errors=True)
            with TemporaryDirectory(dir=here, prefix=PART) as part:
                file = Path(part) / name
                state.save(file)
                if here is not None:
                    os.replace(file, here / name)
                else:
                    upload(Path(part), self._folder)
            names = self._names()
            # Later ones were damaged, or the run would have gone on from them.
            before = names[: names.index(name) + 1]
            for old in set(names) - set(before[-KEPT:]):
                (self._folder / old).unlink()

    def newest(self) -> tuple[State | None, list[str]]:
        """The last state that can be read, and the names of those after it that cannot.

        Raises:
            Unavailable: the storage cannot be reached.
        """
        damaged: list[str] = []
        with reached(self._folder):
            for name in reversed(self._names()):
                try:
                    return self._read(name), damaged
                except DAMAGED:
                    damaged.append(name)
        return None, damaged

    def read(self, iterations: int) -> State:
        """The state after so many steps."""
        return self._read(_name(iterations))

    def _read(self, name: str) -> State:
        with local(self._folder / name) as file:
            return State.load(file)

    def _names(self) -> list[str]:
        return sorted(path.name for path in self._folder.glob("*.npz"))


def _name(iterations: int) -> str:
    return f"{iterations:09d}.npz"

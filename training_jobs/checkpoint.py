"""The whole state of a run after an epoch, in a folder: arrays in one file, the rest as JSON."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gyrus.progress import Progress
from training_jobs.schedule import Schedule

Arrays = list[NDArray[Any]]
ARRAYS = ("weights", "average", "best", "optimizer")


@dataclass
class State:
    """What a run needs to go on, but for the state of dropout's generator, which starts over.

    `epoch` epochs are done. `weights` are the model's, `average` their moving average, `best` the
    average of the best epoch so far; `optimizer` holds all of the optimizer's variables, its
    iterations among them. `history` are the events of the epochs, for the curves.
    """

    epoch: int
    weights: Arrays
    average: Arrays
    best: Arrays
    optimizer: Arrays
    schedule: Schedule
    history: list[Progress] = field(default_factory=list)

    @property
    def iterations(self) -> int:
        """The optimizer's steps so far: Keras keeps them in its first variable."""
        return int(self.optimizer[0])

    def save(self, folder: Path) -> None:
        """Write the state into `folder`."""
        arrays = {
            f"{group}_{index:04d}": array
            for group in ARRAYS
            for index, array in enumerate(getattr(self, group))
        }
        np.savez(folder / "state.npz", allow_pickle=False, **arrays)
        rest = {
            "epoch": self.epoch,
            "schedule": asdict(self.schedule),
            "history": [event.model_dump(mode="json") for event in self.history],
        }
        (folder / "state.json").write_text(json.dumps(rest))

    @classmethod
    def load(cls, folder: Path) -> "State":
        """Read a state that `save` wrote."""
        rest = json.loads((folder / "state.json").read_text())
        with np.load(folder / "state.npz", allow_pickle=False) as file:
            groups = {
                group: [file[name] for name in sorted(file.files) if name.startswith(f"{group}_")]
                for group in ARRAYS
            }
        return cls(
            epoch=rest["epoch"],
            schedule=Schedule(**rest["schedule"]),
            history=[Progress.model_validate(event) for event in rest.get("history", [])],
            **groups,
        )

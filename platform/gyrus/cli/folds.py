"""Folds: a training run each, and how good their models are on what they did not know."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gyrus.cli.options import print_table
from gyrus.errors import InputError

if TYPE_CHECKING:
    from gyrus.evaluation.folds import CrossValidation
    from gyrus.launch.jobs import Job, TrainingRequest
    from gyrus.launch.local_jobs import LocalTrainings
    from gyrus.metrics import Metrics

COLUMNS = ("accuracy", "auroc", "sensitivity", "specificity", "uncertain")


def folds_of(dataset: Path, count: int | None, *, by_source: bool) -> list[str]:
    """The folds of the dataset in a folder, as a recipe names them: so many, or the sources.

    Raises:
        InputError: both were asked for, or the dataset has no such folds.
        InvalidDataset: what is left beside a fold cannot train a model.
    """
    from gyrus.datasets import Dataset
    from gyrus.datasets.folds import hold_out
    from gyrus.datasets.trainable import check_trainable

    if count and by_source:
        raise InputError("--folds and --leave-one-source-out exclude each other: give one.")
    opened = Dataset.open(dataset)
    names = (
        [f"{number}/{count}" for number in range(1, count + 1)]
        if count
        else [f"source:{name}" for name in sorted(set(opened.sources.tolist()))]
    )
    for name in names:
        check_trainable(hold_out(opened, name, seed=0))
    return names


def run_folds(
    trainings: "LocalTrainings",
    request: "TrainingRequest",
    folds: list[str],
    follow: Callable[..., None],
    *,
    as_json: bool,
) -> None:
    """Train on each fold in turn, and print the figures of each and of all together.

    A fold that is done is not run again, and one that was interrupted goes on. `follow` begins a
    run and waits for its end. As JSON they are the last line, after those of the events.
    """
    from gyrus.evaluation.folds import OUTCOMES, pool

    runs = {}
    for fold in folds:
        name = f"{request.run}-{fold.replace('/', 'of').replace(':', '-')}"
        folder = trainings.home / "runs" / name
        if not (folder / OUTCOMES).is_file():
            asked = request.model_copy(update={"run": name, "fold": fold})
            again = partial(trainings.resume, name)
            begin: Callable[[], Job] = (
                again if folder.exists() else partial(trainings.create, asked)
            )
            follow(begin, as_json=as_json)
        runs[fold] = folder
    found = pool(runs)
    if as_json:
        print(found.model_dump_json())
    else:
        _show(found)


def _show(found: "CrossValidation") -> None:
    parts = {fold: one.tumour for fold, one in found.folds.items()}
    parts |= {f"all of {source}": one for source, one in found.together.sources.items()}
    print_table([_row(name, one) for name, one in {**parts, "all": found.together.tumour}.items()])


def _row(name: str, metrics: "Metrics") -> dict[str, object]:
    known = metrics.estimates()
    figures = {one: known[one].describe() if one in known else "" for one in COLUMNS}
    return {"fold": name, "images": metrics.images, **figures}

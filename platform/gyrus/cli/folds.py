"""Folds: a training run each, and how good their models are on what they did not know."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from gyrus.cli.options import print_table
from gyrus.errors import Conflict, InputError

if TYPE_CHECKING:
    from gyrus.datasets import Dataset
    from gyrus.evaluation.folds import CrossValidation
    from gyrus.launch.jobs import Job, TrainingRequest
    from gyrus.launch.local_jobs import LocalTrainings

COLUMNS = ("accuracy", "auroc", "sensitivity", "specificity", "uncertain")


def folds_of(dataset: "Dataset", count: int | None, *, by_source: bool, seed: int) -> list[str]:
    """The folds of a dataset, as a run names them: so many, or the sources.

    Raises:
        InputError: both were asked for, or the dataset has no such folds.
        InvalidDataset: what is left beside a fold cannot train a model.
    """
    from gyrus.datasets.folds import hold_out
    from gyrus.datasets.trainable import check_trainable

    if count and by_source:
        raise InputError("--folds and --leave-one-source-out exclude each other: give one.")
    names = (
        [f"{number}/{count}" for number in range(1, count + 1)]
        if count
        else [f"source:{name}" for name in sorted(set(dataset.sources.tolist()))]
    )
    for name in names:
        check_trainable(hold_out(dataset, name, seed=seed))
    return names


def run_folds(
    trainings: "LocalTrainings",
    request: "TrainingRequest",
    dataset: "Dataset",
    folds: list[str],
    follow: Callable[..., None],
    *,
    as_json: bool,
) -> None:
    """Train on each fold in turn, and print the figures of each and of all together.

    A fold that is done is not run again, and one that was interrupted goes on. `follow` begins a
    run and waits for its end. As JSON they are the last line, after those of the events.

    Raises:
        Conflict: a run of that name is there, and was asked otherwise.
        InvalidDataset: it was made of another dataset.
    """
    from gyrus.evaluation.folds import OUTCOMES, pool
    from gyrus.evaluation.outcomes import Outcomes

    runs, begun = {}, list[Callable[[], "Job"]]()
    for number, fold in enumerate(folds, start=1):
        # Short, for a run's name may have 63 letters.
        name = f"{request.run[:50]}-{number}of{len(folds)}"
        folder = trainings.home / "runs" / name
        asked = request.model_copy(update={"run": name, "fold": fold})
        if folder.exists() and trainings.get(name).request != asked:
            raise Conflict(
                f"A run named {name} is there already, and was asked otherwise. Name another "
                "with --run."
            )
        runs[fold] = folder
        if (folder / OUTCOMES).is_file():
            Outcomes.load(folder / OUTCOMES, dataset.digest)  # before others are trained in vain
        elif folder.exists():
            begun.append(partial(trainings.resume, name))
        else:
            begun.append(partial(trainings.create, asked))
    for begin in begun:
        follow(begin, as_json=as_json)
    found = pool(runs, dataset.digest)
    if as_json:
        print(found.model_dump_json())
    else:
        _show(found)


def _show(found: "CrossValidation") -> None:
    parts = {fold: one.tumour for fold, one in found.folds.items()}
    parts |= {f"all of {source}": one for source, one in found.together.sources.items()}
    parts["all"] = found.together.tumour
    print_table(
        [
            {"fold": name, "images": one.images, **one.described(COLUMNS)}
            for name, one in parts.items()
        ]
    )

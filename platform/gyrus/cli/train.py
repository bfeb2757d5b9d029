"""`gyrus train`."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gyrus.cli.folds import folds_of, run_folds
from gyrus.cli.jobs import launcher, show_progress
from gyrus.cli.options import Home, print_json
from gyrus.errors import Conflict, InputError
from gyrus.recipe import NAMED_WEIGHTS, Architecture, Precision, wrong_option

if TYPE_CHECKING:
    from gyrus.launch.jobs import Job
    from gyrus.launch.local_jobs import LocalTrainings


def train(
    dataset: Annotated[
        str | None, typer.Option(help="The dataset's name; see `data list`.")
    ] = None,
    model: Annotated[Architecture | None, typer.Option(help="The architecture (cnn).")] = None,
    workers: Annotated[
        str | None,
        typer.Option(help="How many workers share it (1); 1:4 goes on with what it has of four."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="At most so many epochs (50).")] = None,
    batch: Annotated[int | None, typer.Option(help="Images a step, of all workers (32).")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Adam's rate (0.001).")] = None,
    weights: Annotated[
        str | None, typer.Option(help="none, imagenet or a file, for the base (none).")
    ] = None,
    alpha: Annotated[float | None, typer.Option(help="MobileNetV2's width (1.0).")] = None,
    filters: Annotated[int | None, typer.Option(help="The CNN's first filters (16).")] = None,
    frozen_epochs: Annotated[
        int | None, typer.Option(help="Epochs in which a pretrained base rests (2).")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(help="Stop after so many epochs without progress (10).")
    ] = None,
    precision: Annotated[
        Precision | None, typer.Option(help="auto is bfloat16 on GPUs made for it (auto).")
    ] = None,
    miss_rate: Annotated[
        float | None, typer.Option(help="Tumours that may be called no_tumour (0.015).")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The seed of weights and order (0).")] = None,
    run: Annotated[str | None, typer.Option(help="The run's name.")] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            help="Cross-validate: so many runs, each tested on a fold; again, it goes on.",
            min=2,
            max=99,
        ),
    ] = None,
    by_source: Annotated[
        bool,
        typer.Option("--leave-one-source-out", help="Cross-validate: a run for each source."),
    ] = False,
    resume: Annotated[
        str | None, typer.Option(help="Go on with this run, as it was asked.", metavar="RUN")
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Start it and return; see `gyrus jobs`.")
    ] = False,
    home: Home = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the events as JSON lines, or the started job.")
    ] = False,
) -> None:
    """Train a model on a dataset, evaluate it and register it."""
    from pydantic import ValidationError

    from gyrus.datasets import Dataset
    from gyrus.launch.jobs import TrainingRequest, run_name

    trainings = launcher(home)
    options: dict[str, object] = {
        "model": model,
        **_workers(workers),
        "epochs": epochs,
        "batch": batch,
        "learning_rate": learning_rate,
        "weights": _weights(weights),
        "alpha": alpha,
        "filters": filters,
        "frozen_epochs": frozen_epochs,
        "patience": patience,
        "precision": precision,
        "miss_rate": miss_rate,
        "seed": seed,
    }
    given = {name: value for name, value in options.items() if value is not None}
    if resume is not None:
        if given or dataset or run or folds or by_source:
            raise InputError("--resume goes on with a run as it was asked: give it alone.")
        begin = partial(trainings.resume, resume)
    elif dataset is None:
        raise InputError("Say which dataset: --dataset NAME (`gyrus data list` shows them).")
    else:
        architecture = str(given.get("model", "cnn"))
        several = f"{folds}-folds" if folds else "by-source" if by_source else ""
        name = run or run_name(dataset, architecture, several)
        try:
            request = TrainingRequest.model_validate({"run": name, "dataset": dataset, **given})
        except ValidationError as error:
            # Both numbers of workers are one option here.
            said = wrong_option(error).replace("--min-workers", "--workers")
            raise InputError(said) from error
        folder = trainings.home / "datasets" / dataset
        if folds or by_source:
            if detach:
                raise InputError("--detach starts one run, and folds are several: leave it out.")
            opened = Dataset.open(folder)
            wanted = folds_of(opened, folds, by_source=by_source, seed=request.seed)
            follow = partial(_follow, trainings)
            run_folds(trainings, request, opened, wanted, follow, as_json=as_json)
            return
        _check(folder)
        begin = partial(trainings.create, request)
    if detach:
        job = begin()
        if as_json:
            print_json(job.model_dump(mode="json"))
        else:
            print(f"Training {job.id}. See how it goes: gyrus jobs follow {job.id}")
        return
    _follow(trainings, begin, as_json=as_json)


def _follow(trainings: "LocalTrainings", begin: Callable[[], "Job"], *, as_json: bool) -> None:
    """Begin a run and show how it goes; Ctrl-C ends it."""
    from gyrus.launch.signals import ending_raises

    with ending_raises():
        job = begin()
        try:
            show_progress(trainings, job, after=job.started_at, as_json=as_json)
        except KeyboardInterrupt:
            with suppress(Conflict):  # it has just ended by itself
                trainings.cancel(job.id)
                print(f"Stopped. Go on with it: gyrus train --resume {job.id}", file=sys.stderr)
            raise


def _check(folder: Path) -> None:
    """Refuse a dataset that cannot train a model, before a process is started to find it out."""
    from gyrus.datasets import Dataset
    from gyrus.datasets.dataset import DESCRIPTION
    from gyrus.datasets.trainable import check_trainable

    if (folder / DESCRIPTION).exists():  # else the launcher says so
        opened = Dataset.open(folder)
        check_trainable(opened)
        opened.verify()


def _workers(given: str | None) -> dict[str, str]:
    """So many, or `few:many`; what is no number is refused with the rest of the recipe."""
    if given is None:
        return {}
    few, _, many = given.rpartition(":")
    if few == "0":  # a recipe's word for a run that waits for all of its workers
        raise InputError("--workers: a run needs one worker at least, as in 1:4.")
    return {"workers": many} | ({"min_workers": few} if few else {})


def _weights(given: str | None) -> str | None:
    """A file's path from the root, for the training runs in another folder."""
    if given is None or given in NAMED_WEIGHTS:
        return given
    return os.path.abspath(os.path.expanduser(given))

"""`gyrus train`."""

import os
import secrets
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from gyrus.cli.options import Home, settings_of
from gyrus.errors import InputError
from gyrus.progress import Progress
from gyrus.settings import PlatformSettings

GRACE_S = 15.0
NAME_LENGTH = 32
"""So much of the dataset's name goes into a run's, which has at most 63 characters."""


class Architecture(StrEnum):
    """The models that can be trained."""

    cnn = "cnn"
    mobilenetv2 = "mobilenetv2"
    resnet50 = "resnet50"


def train(
    dataset: Annotated[
        str | None, typer.Option(help="The dataset's name; see `data list`.")
    ] = None,
    model: Annotated[Architecture | None, typer.Option(help="The architecture (cnn).")] = None,
    workers: Annotated[int | None, typer.Option(help="How many workers share it (1).")] = None,
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
    seed: Annotated[int | None, typer.Option(help="The seed of weights and order (0).")] = None,
    run: Annotated[str | None, typer.Option(help="The run's name.")] = None,
    resume: Annotated[
        str | None, typer.Option(help="Go on with this run, as it was asked.", metavar="RUN")
    ] = None,
    home: Home = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the events as JSON lines.")
    ] = False,
) -> None:
    """Train a model on a dataset, evaluate it and register it."""
    settings = settings_of(home)
    options: dict[str, object] = {
        "model": model.value if model else None,
        "workers": workers,
        "epochs": epochs,
        "batch": batch,
        "learning-rate": learning_rate,
        "weights": _weights(weights),
        "alpha": alpha,
        "filters": filters,
        "frozen-epochs": frozen_epochs,
        "patience": patience,
        "seed": seed,
    }
    given = {name: value for name, value in options.items() if value is not None}
    if resume is not None:
        if given or dataset or run:
            raise InputError("--resume goes on with a run as it was asked: give it alone.")
        _run(settings, resume, {"resume": True}, as_json)
        return
    if dataset is None:
        raise InputError("Say which dataset: --dataset NAME (`gyrus data list` shows them).")
    folder = settings.datasets / dataset
    if not (folder / "dataset.json").is_file():
        raise InputError(f"There is no dataset {dataset}. `gyrus data list` shows which there are.")
    now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    name = run or f"{dataset[:NAME_LENGTH]}-{given.get('model', 'cnn')}-{now}"
    _run(settings, name, {"dataset": folder, **given}, as_json)


def _run(settings: PlatformSettings, run: str, options: dict[str, object], as_json: bool) -> None:
    """Run the training here, on the Ray of a running `gyrus up` if there is one."""
    from gyrus.cli.display import Display
    from gyrus.launch.instance import RunFolder
    from gyrus.launch.processes import Processes
    from gyrus.launch.ray_head import LOCAL_RAY
    from gyrus.launch.signals import ending_raises
    from gyrus.launch.training import TRAINING, follow, training_command

    folder = RunFolder(settings.home)
    instance = folder.running()
    environment = {
        **{k: v for k, v in os.environ.items() if k not in {"RAY_ADDRESS", "RAY_NAMESPACE"}},
        **LOCAL_RAY,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GYRUS_HOME": str(settings.home),
        "GYRUS_TRACKING_URI": settings.registry_uri,
    }
    if instance is not None:
        environment |= {
            "RAY_ADDRESS": instance.ray_address,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(folder.ray_token),
        }
    settings.home.mkdir(parents=True, exist_ok=True)
    processes = Processes(secrets.token_hex(8), settings.home / "logs")
    last: Progress | None = None
    with ending_raises():
        try:
            child = processes.start(
                TRAINING,
                training_command(run, settings.runs, options),
                environment,
                folder=settings.home,
                pipe=True,
            )
            with Display() as display:
                if not as_json:
                    display.stage(f"Training {run}.")
                for event in follow(child.process, child.log):
                    last = event
                    if as_json:
                        print(event.model_dump_json(), flush=True)
                    else:
                        display.progress(event)
        finally:
            processes.stop_all([TRAINING], grace=GRACE_S)
    if last is not None and not as_json:
        version = last.message.removeprefix("version ")
        print(f"Run {run} made model version {version}. Serve it: gyrus models promote {version}")


def _weights(given: str | None) -> str | None:
    """A file's path from the root, for the training runs in another folder."""
    if given is None or given in {"none", "imagenet"}:
        return given
    return os.path.abspath(os.path.expanduser(given))

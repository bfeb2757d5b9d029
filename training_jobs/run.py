"""A whole run: train on Ray, then evaluate, export and register."""

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from upath import UPath

from gyrus.addresses import address, reached, room, upload
from gyrus.datasets import Dataset, open_dataset
from gyrus.datasets.trainable import check_trainable
from gyrus.errors import Conflict, InputError, NotFound
from gyrus.evaluation.folds import OUTCOMES
from gyrus.plots import FOLDER as PLOTS
from gyrus.progress import Progress
from gyrus.recipe import NAMED_WEIGHTS
from gyrus.registry import ModelVersion, Registry
from gyrus.settings import PlatformSettings
from training_jobs.config import NOTED, TrainConfig
from training_jobs.export import export_bundle
from training_jobs.group import train
from training_jobs.models import build

CONFIG = "config.json"

PLACES = {*NOTED, "dataset", "storage", "job"}
"""What of a config does not say how a model is trained."""


def prepare(config: TrainConfig) -> TrainConfig:
    """Check what a new run needs, and make its folder.

    Pretrained weights are fetched and tried here, once, before any worker wants them. Returns the
    config with the dataset's digest and the time.

    Raises:
        Conflict: a run of this name is there already.
        InvalidDataset: the dataset cannot be read, or cannot train a model.
        InputError: the weights cannot be had, or belong to another model.
        NotFound, Unavailable: an address has nothing, or cannot be reached.
    """
    open_dataset(config.dataset, PlatformSettings().copies).verify()
    dataset = config.open_dataset()
    check_trainable(dataset)
    with reached(config.storage):
        if (config.folder / CONFIG).exists():
            raise Conflict(
                f"A run named {config.run} is there already. Resume it, or name another."
            )
    if config.weights not in NAMED_WEIGHTS:
        weights = address(config.weights)
        with reached(weights):
            if not weights.is_file():
                raise NotFound(f"There is no weights file {weights}.")
    if config.pretrained:
        try:
            build(config, len(dataset.classes))
        except Exception as error:  # Keras raises all kinds
            reason = str(error).strip().partition("\n")[0]
            raise InputError(
                f"The weights {config.weights} cannot be loaded into {config.model} (alpha "
                f"{config.alpha}): {reason}"
            ) from error
    with reached(config.storage):
        begun = datetime.now(UTC).isoformat(timespec="seconds")
        config = config.model_copy(update={"digest": dataset.digest, "begun": begun})
        config.folder.mkdir(parents=True, exist_ok=True)
        part = config.folder / f".{CONFIG}"
        part.write_text(config.model_dump_json(indent=2) + "\n")
        part.fs.mv(part.path, (config.folder / CONFIG).path)
    return config


def begun_before(config: TrainConfig) -> TrainConfig | None:
    """What this very run was started with, if it was.

    Raises:
        Conflict: a run of this name was, but by another job, or it was asked otherwise.
    """
    try:
        before = load_config(config.storage, config.run)
    except NotFound:
        return None
    if before.model_copy(update=dict.fromkeys(NOTED, "")) != config:
        raise Conflict(
            f"A run named {config.run} is there already: another job began it, or it was asked "
            "otherwise. Name another."
        )
    return before


def load_config(storage: UPath, run: str) -> TrainConfig:
    """The recipe of a run that was started before.

    Raises:
        NotFound: there is no such run.
    """
    path = storage / run / CONFIG
    with reached(storage):
        if not path.is_file():
            raise NotFound(f"There is no run {run} in {storage}.")
        text = path.read_text()
    config = TrainConfig.model_validate_json(text)
    return config.model_copy(update={"storage": storage})


def execute(config: TrainConfig, tell: Callable[[Progress], None], *, resumed: bool) -> bool:
    """Train, evaluate, export, draw and register; `tell` hears of every event.

    The model of a run that held out a fold is not registered: only what it says of the fold is
    kept. A run that is resumed although its model is registered already only tells which it is.

    Returns whether all is done: a signal that asks to end stops the workers, who write a checkpoint
    first.

    Raises:
        InvalidDataset: the dataset is not the one that the run began on.
        TrainingFailed: the workers failed more often than a run survives, or the loss diverged.
        StorageFull: a disk is full; the last checkpoint is whole, and no model registered.
        InputError: there is no room for so many workers.
    """
    settings = PlatformSettings()
    dataset = config.open_dataset()
    registry = Registry(settings.registry_uri, settings.home)
    made = _made_before(config, dataset, registry) if resumed and not config.fold else None
    if made is not None:
        message = f"version {made.version}"
        metrics = made.card.metrics.flat()
        tell(Progress(run=config.run, kind="done", metrics=metrics, message=message))
        return True
    state = train(config, tell, resumed=resumed)
    if state is None:
        return False
    model = build(config, len(dataset.classes), load_weights=False)
    model.set_weights(state.best)
    with room(), tempfile.TemporaryDirectory() as made_here:
        bundle, said = Path(made_here, "bundle"), Path(made_here, OUTCOMES)
        card, outcomes = export_bundle(model, config, dataset, bundle, state.history)
        evaluation = Progress(
            run=config.run,
            kind="evaluation",
            step=state.iterations,
            epoch=state.epoch,
            of=config.epochs,
            metrics=card.metrics.flat(),
        )
        tell(evaluation)
        upload(bundle / PLOTS, config.folder / PLOTS)
        if config.fold:
            outcomes.save(said, card, dataset.digest)
            with reached(config.storage):
                part = config.folder / f".{OUTCOMES}"
                part.write_bytes(said.read_bytes())
                part.fs.mv(part.path, (config.folder / OUTCOMES).path)
            message = f"fold {config.fold}"
        else:
            version = registry.register(
                bundle,
                run=config.run,
                params=config.model_dump(mode="json", exclude=PLACES),
            )
            message = f"version {version.version}"
    closing = {"kind": "done", "message": message}
    tell(Progress.model_validate(evaluation.model_dump(exclude={"time"}) | closing))
    return True


def _made_before(config: TrainConfig, dataset: Dataset, registry: Registry) -> ModelVersion | None:
    """The model that this run registered before, if it came so far."""
    for one in registry.versions():
        same = (one.card.run, one.card.dataset_digest) == (config.run, dataset.digest)
        # An older one is of a run of this name whose folder was deleted.
        if same and one.card.created_at >= config.begun:
            return one
    return None

"""Which models there are, and which one is champion: MLflow's model registry.

The alias `champion` is the truth. The versions that were champion before stand in a tag of the
registered model, so that a rollback knows where to go.
"""

import json
import logging
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from pydantic import BaseModel, ValidationError

from gyrus.bundle import CARD, Card, digest, read_card, verify
from gyrus.errors import Conflict, InvalidBundle, NotFound, Unavailable
from gyrus.plots import FOLDER as PLOTS
from gyrus.plots import PlotName

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL = "gyrus"
"""The registered model, and the experiment that its runs are in."""

ALIAS = "champion"
PREVIOUS = "previous_champions"
MOST_PREVIOUS = 100
ARTIFACT = "bundle"


IMPATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "15"}
"""For a process in which somebody waits: MLflow's client gives up in half a minute, not in four."""


def be_impatient() -> None:
    """Wait for MLflow as `IMPATIENCE` says, where the environment says nothing else."""
    for name, value in IMPATIENCE.items():
        os.environ.setdefault(name, value)


class ModelVersion(BaseModel):
    """A registered model: its card, and where replicas get its bundle.

    `source` is that folder on this machine, which is the `bundle` too, or else an artifact of an
    MLflow server.
    """

    version: int
    digest: str
    source: str
    bundle: Path | None
    card: Card
    created_at: datetime
    champion: bool


class Registry:
    """The registry at `tracking_uri` (a `sqlite:///` file or an MLflow server).

    Bundles go under `home` when the registry is a file. Every method blocks; the first one that is
    called imports MLflow, which takes seconds.
    """

    def __init__(self, tracking_uri: str, home: Path) -> None:
        self.tracking_uri = tracking_uri
        self.home = home.resolve()

    def register(
        self, bundle: Path, *, run: str, params: Mapping[str, object] | None = None
    ) -> ModelVersion:
        """Register a sealed bundle as the next version; the same bundle again is the same version.

        `run` names the training run, `params` are how it was started.

        Raises:
            InvalidBundle: a file of the bundle is missing or was changed.
        """
        card = verify(bundle)
        digest_of_bundle = digest(bundle)
        for known in self.versions():
            if known.digest == digest_of_bundle:
                return known
        logged = self._client.create_run(self._experiment(), run_name=run)
        run_id = logged.info.run_id
        about = {
            "architecture": card.architecture,
            "dataset": card.dataset,
            "dataset_digest": card.dataset_digest,
            "split_digest": card.split_digest,
        }
        try:
            for name, value in {**(params or {}), **about}.items():
                self._client.log_param(run_id, name, value)
            for name, value in card.metrics.flat().items():
                self._client.log_metric(run_id, name, value)
            self._client.log_artifacts(run_id, str(bundle), ARTIFACT)
            self._client.set_terminated(run_id)
        except BaseException:
            # What is there of it belongs to no version.
            with suppress(Exception):
                self._client.set_terminated(run_id, "FAILED")
                self._client.delete_run(run_id)
            if (folder := _on_this_machine(logged.info.artifact_uri)) is not None:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        self._ensure_model()
        version = self._client.create_model_version(
            MODEL,
            f"{logged.info.artifact_uri}/{ARTIFACT}",
            run_id,
            tags={"digest": digest_of_bundle, "run": run, "card": card.model_dump_json()},
        )
        return self._describe(version, self._champion_number())

    def versions(self) -> list[ModelVersion]:
        """All versions, newest first; those with another kind of card are none of ours."""
        champion = self._champion_number()
        found = self._client.search_model_versions(f"name='{MODEL}'")
        described = [self._describe(one, champion) for one in found if _is_ours(one)]
        return sorted(described, key=lambda one: one.version, reverse=True)

    def made_by(self, run: str) -> ModelVersion | None:
        """The version that a training run registered last.

        Raises:
            Unavailable: MLflow does not answer.
        """
        from mlflow.exceptions import MlflowException

        try:
            found = self._client.search_model_versions(f"name='{MODEL}' and tags.run='{run}'")
            last = max(found, key=lambda one: int(one.version), default=None)
            return None if last is None else self._describe(last, self._champion_number())
        except (MlflowException, OSError) as error:
            raise Unavailable("MLflow does not answer. Try again.", retry_after=5) from error

    def plot(self, version: int, name: PlotName) -> bytes:
        """A picture from the bundle of a version, as PNG.

        Raises:
            NotFound: there is no such version, or no such picture in its bundle.
            Unavailable: MLflow does not answer.
        """
        from mlflow.exceptions import MlflowException

        missing = NotFound(f"Model version {version} has no plot {name}.")
        folder = f"{ARTIFACT}/{PLOTS}"
        try:
            run_id = str(self._client.get_model_version(MODEL, str(version)).run_id)
            # A download of what is not there fails without a code that says so.
            found = [one.path for one in self._client.list_artifacts(run_id, folder)]
            if f"{folder}/{name}.png" not in found:
                raise missing
            with TemporaryDirectory() as here:
                path = self._client.download_artifacts(run_id, f"{folder}/{name}.png", here)
                return Path(path).read_bytes()
        except (MlflowException, OSError) as error:
            if getattr(error, "error_code", "") == "RESOURCE_DOES_NOT_EXIST":
                raise missing from error
            raise Unavailable("MLflow does not answer. Try again.", retry_after=5) from error

    def get(self, version: int) -> ModelVersion:
        """One version.

        Raises:
            NotFound: there is no such version.
        """
        found = self._find(version)
        if found is None:
            raise NotFound(f"There is no model version {version}.")
        return self._describe(found, self._champion_number())

    def champion(self) -> ModelVersion | None:
        """The version that is to be served; None before the first promotion, or if it is gone."""
        number = self._champion_number()
        found = None if number is None else self._find(number)
        return None if found is None else self._describe(found, number)

    @contextmanager
    def fetched(self, model: ModelVersion) -> Iterator[Path]:
        """The folder of a version's bundle, on this machine while the block lasts.

        Raises:
            InvalidBundle: it is damaged.
        """
        if model.bundle is not None:
            verify(model.bundle, model.digest)
            yield model.bundle
            return
        from mlflow.artifacts import download_artifacts

        with TemporaryDirectory() as folder:
            bundle = Path(
                download_artifacts(
                    artifact_uri=model.source, dst_path=folder, tracking_uri=self.tracking_uri
                )
            )
            verify(bundle, model.digest)
            yield bundle

    def promote(self, version: int) -> ModelVersion:
        """Make a version champion.

        Of a server's bundle only the card is read here: the replicas that fetch it check it all.

        Raises:
            NotFound: there is no such version.
            InvalidBundle: its bundle is damaged.
        """
        model = self.get(version)
        self._check(model)
        current = self._champion_number()
        if current not in {None, version}:
            self._set_previous([*self._previous(), current])
        self._client.set_registered_model_alias(MODEL, ALIAS, str(version))
        return model.model_copy(update={"champion": True})

    def rollback(self) -> ModelVersion:
        """Make the version champion that was it before, and was not deleted since.

        Raises:
            Conflict: there was none before.
            InvalidBundle: the bundle of the one before is damaged.
        """
        known = {one.version: one for one in self.versions() if not one.champion}
        before = [number for number in self._previous() if number in known]
        if not before:
            raise Conflict("No other model was champion before; there is nothing to roll back to.")
        model = known[before[-1]]
        self._check(model)
        self._client.set_registered_model_alias(MODEL, ALIAS, str(model.version))
        self._set_previous(before[:-1])
        return model.model_copy(update={"champion": True})

    @cached_property
    def _client(self) -> "MlflowClient":
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        # A training's standard output is for its progress.
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        self.home.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            # MLflow's own use of SQLAlchemy 2.1 warns while its store is made.
            warnings.simplefilter("ignore")
            from mlflow import MlflowClient

            for name in ("mlflow", "alembic"):
                logging.getLogger(name).setLevel(logging.WARNING)
            return MlflowClient(self.tracking_uri, self.tracking_uri)

    def _experiment(self) -> str:
        found = self._client.get_experiment_by_name(MODEL)
        if found is not None:
            return str(found.experiment_id)
        is_file = self.tracking_uri.startswith("sqlite:")
        location = (self.home / "mlflow-artifacts").as_uri() if is_file else None
        return str(self._client.create_experiment(MODEL, artifact_location=location))

    def _model(self) -> Any | None:
        from mlflow.exceptions import MlflowException

        try:
            return self._client.get_registered_model(MODEL)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise

    def _find(self, version: int) -> Any | None:
        """A version that is ours, as MLflow has it."""
        from mlflow.exceptions import MlflowException

        try:
            found = self._client.get_model_version(MODEL, str(version))
        except MlflowException as error:
            if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                return None
            raise
        return found if _is_ours(found) else None

    def _ensure_model(self) -> None:
        if self._model() is None:
            self._client.create_registered_model(MODEL)

    def _champion_number(self) -> int | None:
        model = self._model()
        number = None if model is None else model.aliases.get(ALIAS)
        return None if number is None else int(number)

    def _previous(self) -> list[int]:
        model = self._model()
        return [] if model is None else list(json.loads(model.tags.get(PREVIOUS, "[]")))

    def _set_previous(self, numbers: list[Any]) -> None:
        value = json.dumps(numbers[-MOST_PREVIOUS:])
        self._client.set_registered_model_tag(MODEL, PREVIOUS, value)

    def _describe(self, found: Any, champion: int | None) -> ModelVersion:
        bundle = _on_this_machine(str(found.source))
        return ModelVersion(
            version=int(found.version),
            digest=found.tags["digest"],
            source=str(bundle or found.source),
            bundle=bundle,
            card=Card.model_validate_json(found.tags["card"]),
            created_at=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
            champion=int(found.version) == champion,
        )

    def _check(self, model: ModelVersion) -> None:
        """Check a bundle: all of it where it is on this machine, else its card and its names."""
        if model.bundle is not None:
            verify(model.bundle, model.digest)
            return
        from mlflow.artifacts import download_artifacts, list_artifacts

        found = list_artifacts(artifact_uri=model.source, tracking_uri=self.tracking_uri)
        named = {Path(name).parts[0] for name in (CARD, *model.card.files)}
        missing = named - {Path(one.path).name for one in found}
        if missing:
            names = ", ".join(sorted(missing))
            raise InvalidBundle(f"MLflow has no {names} of model version {model.version}.")
        with TemporaryDirectory() as folder:
            download_artifacts(
                artifact_uri=f"{model.source}/{CARD}",
                dst_path=folder,
                tracking_uri=self.tracking_uri,
            )
            if digest(Path(folder)) != model.digest or read_card(Path(folder)) != model.card:
                raise InvalidBundle(f"The card of model version {model.version} was changed.")


def _is_ours(found: Any) -> bool:
    """Whether a version has a card that this Gyrus reads."""
    try:
        Card.model_validate_json(found.tags.get("card", ""))
    except ValidationError:
        return False
    return True


def _on_this_machine(uri: str) -> Path | None:
    """The path of an address, unless it is that of another machine."""
    parsed = urlparse(uri)
    return Path(unquote(parsed.path)) if parsed.scheme in {"", "file"} else None

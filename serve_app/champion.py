"""Which model is champion, and its bundle, from an MLflow server.

Over MLflow's REST API: its Python package takes 3 s to import.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlparse

import httpx

from gyrus.bundle import CARD, digest, read_card, verify
from gyrus.errors import InvalidBundle, Unavailable
from gyrus.registry import ALIAS, MODEL
from gyrus.settings import PlatformSettings
from serve_app.inference import ModelConfig

API = "/api/2.0/"
NONE_YET = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}
"""How MLflow says that there is no such model, or none with that alias."""

KEPT = 5
"""So many bundles stay in the cache: enough to roll back without a download."""

TIMEOUT = httpx.Timeout(30, connect=5)


class Mlflow:
    """The MLflow server at `uri`. Bundles are kept in `cache`, in folders named by their digest.

    Like MLflow's own client it signs in with MLFLOW_TRACKING_USERNAME and _PASSWORD, or with
    MLFLOW_TRACKING_TOKEN. Every method blocks.
    """

    def __init__(self, uri: str, cache: Path, transport: httpx.BaseTransport | None = None) -> None:
        self._uri = httpx.URL(uri)
        self._cache = cache
        self._transport = transport

    def champion(self) -> ModelConfig | None:
        """The champion, or None before the first promotion.

        Raises:
            Unavailable: MLflow does not answer, or refuses to.
        """
        try:
            with self._client() as http:
                path = f"{API}mlflow/registered-models/alias"
                answer = http.get(path, params={"name": MODEL, "alias": ALIAS})
            said: dict[str, Any] = answer.json()
            if answer.status_code in {400, 404} and said.get("error_code") in NONE_YET:
                return None
            self._check(answer)
            version = said["model_version"]
            tags = {tag["key"]: tag["value"] for tag in version["tags"]}
            return ModelConfig(
                source=version["source"], digest=tags["digest"], version=version["version"]
            )
        except httpx.TransportError as error:
            raise self._silent(error) from error
        except (ValueError, KeyError, TypeError) as error:
            raise Unavailable(f"{self._uri.host} does not answer like MLflow.") from error

    def fetch(self, config: ModelConfig) -> Path:
        """The folder of a bundle, which is downloaded whole or not at all if it is not there yet.

        Raises:
            InvalidBundle: MLflow has no such bundle, or it is not the one that `config` names.
            Unavailable: MLflow does not answer, or the bundle cannot be kept.
        """
        place = self._cache / config.digest
        if place.is_dir():
            return place
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".", dir=self._cache) as part:
                folder = Path(part) / config.digest
                folder.mkdir()
                self._download(config, folder)
                try:
                    folder.rename(place)
                except OSError:
                    if not place.is_dir():  # no other replica of this machine was quicker
                        raise
            self._tidy()
        except httpx.TransportError as error:
            raise self._silent(error) from error
        except OSError as error:
            raise Unavailable(f"The bundle cannot be kept in {self._cache}: {error}") from error
        return place

    def _download(self, config: ModelConfig, folder: Path) -> None:
        if urlparse(config.source).scheme != "mlflow-artifacts":
            raise InvalidBundle(
                f"The bundle is at {config.source}; MLflow must hand it out itself "
                "(`mlflow server --artifacts-destination`)."
            )
        source = quote(urlparse(config.source).path.strip("/"))
        with self._client() as http:

            def download(name: str) -> None:
                path = f"{API}mlflow-artifacts/artifacts/{source}/{quote(name)}"
                with http.stream("GET", path) as answer:
                    if answer.status_code == httpx.codes.NOT_FOUND:
                        raise InvalidBundle(f"MLflow has no {name} of version {config.version}.")
                    self._check(answer)
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    with (folder / name).open("wb") as file:
                        for piece in answer.iter_bytes():
                            file.write(piece)

            download(CARD)
            if digest(folder) != config.digest:  # before a name in it is believed
                raise InvalidBundle(
                    f"The bundle of version {config.version} is not {config.digest[:12]}."
                )
            for name in read_card(folder).files:
                if Path(name).is_absolute() or ".." in Path(name).parts:
                    raise InvalidBundle(f"The bundle names a file outside of it: {name}")
                download(name)
        verify(folder, config.digest)

    def _tidy(self) -> None:
        bundles = [one for one in self._cache.iterdir() if not one.name.startswith(".")]
        for old in sorted(bundles, key=lambda one: one.stat().st_mtime)[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)

    def _client(self) -> httpx.Client:
        user = os.environ.get("MLFLOW_TRACKING_USERNAME", "")
        password = os.environ.get("MLFLOW_TRACKING_PASSWORD", "")
        token = os.environ.get("MLFLOW_TRACKING_TOKEN", "")
        signed_in = bool(user and password)
        return httpx.Client(
            base_url=self._uri,
            auth=(user, password) if signed_in else None,
            headers={"Authorization": f"Bearer {token}"} if token and not signed_in else {},
            timeout=TIMEOUT,
            transport=self._transport,
        )

    def _check(self, answer: httpx.Response) -> None:
        if not answer.is_success:
            raise Unavailable(f"MLflow at {self._uri.host} answers with {answer.status_code}.")

    def _silent(self, error: httpx.TransportError) -> Unavailable:
        return Unavailable(f"MLflow at {self._uri.host} does not answer: {type(error).__name__}.")


def mlflow_of(settings: PlatformSettings) -> Mlflow | None:
    """The MLflow server of these settings; None where the registry is a file on this machine."""
    if urlparse(settings.tracking_uri).scheme not in {"http", "https"}:
        return None
    return Mlflow(settings.tracking_uri, settings.home / "bundles")

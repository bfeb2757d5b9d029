"""The pictures of a training run: their names, and where MLflow keeps them."""

import tempfile
from pathlib import Path
from typing import Literal, get_args

from gyrus.errors import NotFound, Unavailable
from gyrus.registry import MODEL

PlotName = Literal[
    "curves", "roc", "precision_recall", "confusion", "reliability", "scores", "heatmaps"
]
NAMES: tuple[PlotName, ...] = get_args(PlotName)
FOLDER = "plots"
"""The folder of pictures in a run's folder, and among the artifacts of its MLflow run."""


def log_plots(tracking_uri: str, version: int, folder: Path) -> None:
    """Keep the pictures in `folder` with the MLflow run that made a registered version."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri, tracking_uri)
    run_id = client.get_model_version(MODEL, str(version)).run_id
    client.log_artifacts(str(run_id), str(folder), FOLDER)


def fetch_plot(tracking_uri: str, version: int, name: PlotName) -> bytes:
    """A picture of the run that made a registered version, as PNG.

    Raises:
        NotFound: it was not kept.
        Unavailable: MLflow does not answer.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient(tracking_uri, tracking_uri)
    with tempfile.TemporaryDirectory() as folder:
        missing = NotFound(f"Model version {version} has no plot {name}.")
        try:
            run_id = str(client.get_model_version(MODEL, str(version)).run_id)
            # A download of what is not there fails without a code that says so.
            found = [one.path for one in client.list_artifacts(run_id, FOLDER)]
            if f"{FOLDER}/{name}.png" not in found:
                raise missing
            path = client.download_artifacts(run_id, f"{FOLDER}/{name}.png", folder)
        except (MlflowException, OSError) as error:
            if getattr(error, "error_code", "") == "RESOURCE_DOES_NOT_EXIST":
                raise missing from error
            raise Unavailable("MLflow does not answer. Try again.", retry_after=5) from error
        return Path(path).read_bytes()

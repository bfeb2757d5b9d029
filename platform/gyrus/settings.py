"""Where things are kept and reached: the settings that all parts share."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class PlatformSettings(BaseSettings):
    """Settings of the platform, read from `GYRUS_…` environment variables.

    `home` holds everything that the embedded profile writes, and the bundles that were fetched.
    `tracking_uri` is MLflow's address; empty means the SQLite file in `home`. Of a server (http or
    https) replicas fetch the champion themselves.
    """

    model_config = SettingsConfigDict(env_prefix="GYRUS_", extra="ignore")

    home: Path = Path.home() / ".gyrus"
    port: int = Field(default=8000, ge=1, le=65535)
    tracking_uri: str = ""

    @property
    def registry_uri(self) -> str:
        """MLflow's tracking and registry address."""
        return self.tracking_uri or f"sqlite:///{self.home.resolve() / 'mlflow.db'}"

    @property
    def datasets(self) -> Path:
        """The folder of datasets, one folder each."""
        return self.home / "datasets"

    @property
    def runs(self) -> Path:
        """The folder of training runs, one folder each."""
        return self.home / "runs"

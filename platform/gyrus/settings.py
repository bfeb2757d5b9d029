"""Where things are kept and reached: the settings that all parts share."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

SHORTEST_SECRET = 16


def _are_long(secrets: SecretStr) -> SecretStr:
    words = secrets.get_secret_value().split()
    # Each: else the words of a passphrase would be as many secrets, all of them easy to guess.
    if not words or min(map(len, words)) < SHORTEST_SECRET:
        raise ValueError(
            f"it needs a secret of at least {SHORTEST_SECRET} characters, or several of them "
            "separated by white space"
        )
    return secrets


ServeSecrets = Annotated[SecretStr, AfterValidator(_are_long)]
"""`GYRUS_SERVE_SECRET`: one secret or several, separated by white space.

Who asks the replicas sends the first, and they accept any, so that it can be changed on one side at
a time.
"""


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
    def copies(self) -> Path:
        """The folder of copies of datasets that lie elsewhere."""
        return self.home / "cache"

    @property
    def runs(self) -> Path:
        """The folder of training runs, one folder each."""
        return self.home / "runs"

"""The gateway's settings."""

from pathlib import Path

from pydantic import Field, SecretStr

from gyrus.preprocessing import MAX_UPLOAD
from gyrus.settings import PlatformSettings, ServeSecrets


class GatewaySettings(PlatformSettings):
    """Settings of the gateway, read from `GYRUS_…` environment variables.

    | key | what |
    |---|---|
    | `host` | the address that the gateway binds |
    | `metrics_port` | a port for `/metrics` alone; 0 leaves it at the gateway's own |
    | `database_url` | `sqlite:///…` or `mysql+pymysql://…`; empty means `gyrus.db` in `home` |
    | `serve_url` | where Ray Serve answers predictions |
    | `serve_secret` | secrets that replicas may accept; the first is sent; has no default |
    | `rayservice`, `namespace` | on Kubernetes: the RayService that a promotion is pushed to |
    | `serve_api` | without one: Ray's dashboard, to push through; empty pushes nothing |
    | `ray_token_file` | the file with the token of Ray's dashboard |
    | `status_file` | what `gyrus up` is doing; without it the gateway counts as started |
    | `keys_dir` | `*.pem` P-256 keys, see `frontend_api.auth.keys`; empty means `keys` in `home` |
    | `admin_email`, `admin_password` | the first administrator, made when there is none |
    | `rayjob_template` | the RayJob that trainings are made from; empty trains on this machine |
    | `training_namespace` | the namespace of these RayJobs |
    | `training_data` | folder or `s3://` address of their `datasets`, `weights` and `runs` |
    | `upload_limit` | the most bytes of the body of an upload |
    | `max_uploads` | uploads that are held in memory at a time; more wait, then get a 503 |
    | `forwarded_allow_ips` | proxies whose `X-Forwarded-For` is believed (`*`: all); empty: none |
    | `drain_seconds` | how long requests are still taken after SIGTERM |
    | `access_minutes`, `refresh_days` | how long tokens live |
    """

    host: str = "127.0.0.1"
    metrics_port: int = 0
    database_url: str = ""
    serve_url: str = "http://127.0.0.1:8001"
    serve_secret: ServeSecrets
    rayservice: str = ""
    namespace: str = "default"
    serve_api: str = ""
    ray_token_file: Path | None = None
    status_file: Path | None = None
    keys_dir: Path | None = None
    admin_email: str = "admin@example.com"
    admin_password: SecretStr | None = None
    rayjob_template: Path | None = None
    training_namespace: str = "gyrus-training"
    training_data: str = "/data"
    forwarded_allow_ips: str = ""
    upload_limit: int = MAX_UPLOAD
    max_uploads: int = Field(default=16, ge=1)
    drain_seconds: float = 0.0
    access_minutes: int = 15
    refresh_days: int = 14

    @property
    def database(self) -> str:
        """The database's address."""
        return self.database_url or f"sqlite:///{self.home.resolve() / 'gyrus.db'}"

    @property
    def serve_bearer(self) -> str:
        """The secret that is sent to the replicas."""
        return self.serve_secret.get_secret_value().split()[0]

    @property
    def keys(self) -> Path:
        """The folder of signing keys."""
        return self.keys_dir or self.home / "keys"

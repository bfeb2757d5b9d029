"""All of Gyrus on one machine: `gyrus up`."""

import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gyrus.client import GatewayClient
from gyrus.errors import GyrusError, InputError, Unavailable
from gyrus.files import write_whole
from gyrus.launch.first_model import FirstModel, Reporter, describe_champion
from gyrus.launch.instance import Instance, RunFolder
from gyrus.launch.local_jobs import LocalTrainings
from gyrus.launch.ports import LOOPBACK, is_free, pick_ports
from gyrus.launch.processes import Processes, sweep
from gyrus.launch.ray_head import RayHead
from gyrus.launch.ray_start import RAY, RayStart
from gyrus.launch.signals import ending_raises, ignore_ending
from gyrus.launch.status import Stage, Status, write_status
from gyrus.settings import PlatformSettings

GATEWAY = "gateway"
GATEWAY_COMMAND = (sys.executable, "-P", "-m", "frontend_api")
GRACE_S = 25.0
"""The gateway lets requests that are under way end for up to 20 s."""

GATEWAY_S = 60.0
WATCH_S = 1.0

ADMIN_EMAIL = "admin@example.com"
ADMIN_MARKER = "administrator"
"""The file that says that somebody knows the administrator's password."""

ADMIN_PASSWORD = "administrator-password"  # noqa: S105 - a file's name
"""The file that keeps a made password until it was shown: the account may be older than that."""


@dataclass(frozen=True)
class Options:
    """What `gyrus up` was asked: where from to learn first, and whether to learn at all."""

    data: Path | None = None
    train: bool = True


class LocalLauncher:
    """Starts the gateway, Ray, a first training if there is no champion, and the replicas."""

    def __init__(
        self,
        settings: PlatformSettings,
        options: Options,
        reporter: Reporter,
        *,
        gateway: Sequence[str] = GATEWAY_COMMAND,
        ray: Callable[[Path], RayHead] = RayHead,
    ) -> None:
        self.home = settings.home.expanduser().resolve()
        self.settings = settings.model_copy(update={"home": self.home})
        self.options = options
        self.reporter = reporter
        self.gateway = gateway
        self.ray = ray
        self.run = RunFolder(self.home)
        self.mark = secrets.token_hex(8)
        self.processes = Processes(self.mark, self.home / "logs")
        self.trainings = LocalTrainings(self.settings)
        self.url = f"http://{LOOPBACK}:{settings.port}"

    def up(self) -> None:
        """Start everything, and stay until a signal comes or a part ends.

        Raises:
            Conflict: it is running already.
            InputError: the port or the data cannot be used.
            GyrusError: a part did not start, or ended.
        """
        if self.options.data is not None and not self.options.data.is_dir():
            raise InputError(f"{self.options.data} is no folder.")
        with self.run.claim(), ending_raises():
            self._sweep_after_a_kill()
            if not is_free(self.settings.port):
                raise InputError(
                    f"Port {self.settings.port} is taken by another program. "
                    "Choose another with --port or GYRUS_PORT."
                )
            self._up()

    def _up(self) -> None:
        [serve_port] = pick_ports(1)
        secret = secrets.token_urlsafe(32)
        write_whole(self.run.serve_secret, secret)
        write_whole(self.run.ray_token, secrets.token_hex(32))
        ray = self.ray(self.run.ray_token)
        try:
            instance = Instance(
                mark=self.mark,
                pid=os.getpid(),
                port=self.settings.port,
                url=self.url,
                serve_url=f"http://{LOOPBACK}:{serve_port}",
                serve_api=ray.api,
                ray_address=ray.address,
                ray_folder=ray.folder,
            )
            self.run.write(instance)
            self._tell("starting", "Starting the page and Ray.")
            environment = self._environment(ray, secret)
            password = self._start_gateway(environment, instance)
            start = RayStart(ray, self.processes, environment, self.home, self.reporter)
            self._wait_for_gateway(password, start.check)
            self._serve(ray, serve_port, start.check)
            while True:
                start.check()
                time.sleep(WATCH_S)
        except GyrusError as error:
            message = " ".join(error.detail.split())
            with suppress(OSError):
                write_status(self.run.status, Status(stage="failed", message=message))
            raise
        finally:
            ignore_ending()
            self.reporter.stage("Stopping.")
            with suppress(GyrusError):
                self.trainings.stop()
            self.processes.stop_all([GATEWAY, RAY], grace=GRACE_S)
            shutil.rmtree(ray.folder, ignore_errors=True)

    def _environment(self, ray: RayHead, secret: str) -> dict[str, str]:
        inherited = {
            k: v for k, v in os.environ.items() if k not in {"RAY_ADDRESS", "RAY_NAMESPACE"}
        }
        return {
            **inherited,
            **ray.environment,
            "PYTHONUNBUFFERED": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "GYRUS_HOME": str(self.home),
            "GYRUS_TRACKING_URI": self.settings.registry_uri,
            "GYRUS_SERVE_SECRET": secret,
        }

    def _start_gateway(self, environment: Mapping[str, str], instance: Instance) -> str:
        """Start the page; returns the administrator's password if one had to be made."""
        email = environment.get("GYRUS_ADMIN_EMAIL", ADMIN_EMAIL)
        is_first = not (self.home / ADMIN_MARKER).exists()
        made = is_first and not environment.get("GYRUS_ADMIN_PASSWORD")
        password = self._made_password() if made else ""
        own = {
            "GYRUS_HOST": LOOPBACK,
            "GYRUS_PORT": str(self.settings.port),
            "GYRUS_SERVE_URL": instance.serve_url,
            "GYRUS_SERVE_API": instance.serve_api,
            "GYRUS_RAY_TOKEN_FILE": str(self.run.ray_token),
            "GYRUS_STATUS_FILE": str(self.run.status),
            "GYRUS_KEYS_DIR": str(self.home / "keys"),
            "GYRUS_ADMIN_EMAIL": email,
            **({"GYRUS_ADMIN_PASSWORD": password} if made else {}),
        }
        self.processes.start(GATEWAY, self.gateway, {**environment, **own}, folder=self.home)
        return password

    def _made_password(self) -> str:
        """The administrator's password, the same at each start until it was shown."""
        kept = self.home / ADMIN_PASSWORD
        if not kept.is_file():
            write_whole(kept, secrets.token_urlsafe(12))
        return kept.read_text()

    def _wait_for_gateway(self, password: str, check: Callable[[], None]) -> None:
        """Wait for the page, tell its address, and the administrator's password if it was made."""
        deadline = time.monotonic() + GATEWAY_S
        with GatewayClient(self.url) as gateway:
            while not gateway.is_alive():
                check()
                if time.monotonic() > deadline:
                    raise Unavailable(f"The page did not answer within {GATEWAY_S:.0f} seconds.")
                time.sleep(0.1)
            self.reporter.note(f"The page is at {self.url}")
            email = os.environ.get("GYRUS_ADMIN_EMAIL", ADMIN_EMAIL)
            marker = self.home / ADMIN_MARKER
            known = password or os.environ.get("GYRUS_ADMIN_PASSWORD", "")
            # A database that had an administrator before keeps that one's password.
            if known and not marker.exists() and gateway.signs_in(email, known):
                if password:
                    self.reporter.note(f"Administrator: {email}, password: {password} (shown once)")
                write_whole(marker, f"{email}\n")
                (self.home / ADMIN_PASSWORD).unlink(missing_ok=True)

    def _serve(self, ray: RayHead, serve_port: int, check: Callable[[], None]) -> None:
        """Find or make a champion, and serve it."""
        from gyrus.launch.serving import ServeClient
        from gyrus.registry import Registry

        registry = Registry(self.settings.registry_uri, self.home)
        champion = registry.champion()
        if champion is None and self.options.train:
            first = FirstModel(
                self.settings,
                self.trainings,
                self.reporter,
                source=self.options.data,
                ready=lambda: ray.wait(check),
                check=check,
                tell=lambda status: write_status(self.run.status, status),
            )
            champion = first.make(registry)
        elif self.options.data is not None:
            self.reporter.note(
                "--data was not used: it is for a first training. "
                "Import it with `gyrus data import` and train with `gyrus train`."
            )
        ray.wait(check)
        self._tell("deploying", "Starting the replicas that answer.")
        champion = registry.champion()  # perhaps another one by now
        with ServeClient(ray.api, self.run.ray_token.read_text()) as client:
            client.deploy(champion, serve_port, check=check)
        self._tell("ready", f"Ready at {self.url}")
        self.reporter.note(describe_champion(champion))

    def _tell(self, stage: Stage, message: str) -> None:
        write_status(self.run.status, Status(stage=stage, message=message))
        self.reporter.stage(message)

    def _sweep_after_a_kill(self) -> None:
        """End what an instance left that could not stop itself."""
        left = self.run.read()
        # From here on `gyrus down` would signal whoever has that process's number now.
        for path in (self.run.instance, self.run.status):
            path.unlink(missing_ok=True)
        if left is not None:
            sweep(left.mark)
            shutil.rmtree(left.ray_folder, ignore_errors=True)

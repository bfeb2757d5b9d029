"""Ray on this machine: one head that listens on loopback only, with a token of its own."""

import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path

import httpx

from gyrus.errors import Unavailable
from gyrus.launch.ports import LOOPBACK, is_free, pick_ports

LOGICAL_CPUS = 8
"""Ray's CPUs are counters: room for replicas and a training, also on two real ones."""

OBJECT_STORE_BYTES = 200_000_000

ANSWER_S = 300.0
"""Three starts on a busy machine: Ray gives up one after 30 to 60 s."""

LATE_NODE = "The current node timed out during startup."
"""What `ray start` ends with when its raylet did not register within 30 s, which are fixed."""

LATE_AGENT = "Timed out waiting for file"
"""What a raylet ends with when one of its agents named no port within 15 s, which are fixed too."""


@dataclass(frozen=True)
class RayPorts:
    """A port for each server of a Ray head."""

    gcs: int
    dashboard: int
    client: int
    agent: int
    metrics: int
    autoscaler_metrics: int
    dashboard_metrics: int

    @classmethod
    def pick(cls) -> "RayPorts":
        """Ports that are free now."""
        return cls(*pick_ports(7))


@dataclass(frozen=True)
class RayHead:
    """How to start a head and reach it. `token_file` holds the token that every call needs."""

    token_file: Path
    ports: RayPorts = field(default_factory=RayPorts.pick)
    # Unix sockets' paths may have 107 characters, so this cannot be under a home of any length.
    folder: Path = field(
        default_factory=lambda: Path(tempfile.mkdtemp(prefix="gyrus-", dir=_short_temporary()))
    )

    @property
    def address(self) -> str:
        """What a Ray driver joins (`RAY_ADDRESS`)."""
        return f"{LOOPBACK}:{self.ports.gcs}"

    @property
    def api(self) -> str:
        """The dashboard's address, which also has Serve's REST API."""
        return f"http://{LOOPBACK}:{self.ports.dashboard}"

    @property
    def session(self) -> Path:
        """What Ray writes: logs and sockets."""
        return self.folder / "ray"

    @property
    def environment(self) -> Mapping[str, str]:
        """What the head and everyone who joins it need in their environment."""
        return {
            **LOCAL_RAY,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.token_file),
            "AUTOSCALER_METRIC_PORT": str(self.ports.autoscaler_metrics),
            "DASHBOARD_METRIC_PORT": str(self.ports.dashboard_metrics),
        }

    @property
    def command(self) -> list[str]:
        """The command that starts the head and stays until it is stopped."""
        options = {
            "node-ip-address": LOOPBACK,
            "port": self.ports.gcs,
            "dashboard-host": LOOPBACK,
            "dashboard-port": self.ports.dashboard,
            "dashboard-agent-listen-port": self.ports.agent,
            "metrics-export-port": self.ports.metrics,
            "ray-client-server-port": self.ports.client,
            "min-worker-port": 0,
            "max-worker-port": 0,
            "num-cpus": LOGICAL_CPUS,
            "object-store-memory": OBJECT_STORE_BYTES,
            "include-dashboard": "true",
            "log-style": "record",
            "log-color": "false",
            # Ray opens its own folder to everyone; the one around it stays private.
            "temp-dir": self.session,
        }
        given = [f"--{name}={value}" for name, value in options.items()]
        ray = [sys.executable, "-P", "-m", "ray.scripts.scripts"]
        return [*ray, "start", "--head", "--block", "--disable-usage-stats", *given]

    def wait(self, check: Callable[[], None], *, seconds: float = ANSWER_S) -> None:
        """Wait until Ray answers; `check` is called in between and may raise.

        Raises:
            Unavailable: it did not in time.
        """
        token = self.token_file.read_text()
        headers = {"Authorization": f"Bearer {token}"}
        deadline = time.monotonic() + seconds
        with httpx.Client(base_url=self.api, headers=headers, trust_env=False) as client:
            while time.monotonic() < deadline:
                check()
                try:
                    if client.get("/api/serve/applications/", timeout=5).is_success:
                        return
                except httpx.TransportError:
                    pass
                time.sleep(0.2)
        raise Unavailable(f"Ray did not answer within {seconds:.0f} seconds.")

    def was_too_slow(self, log: Path) -> bool:
        """Whether a start that ended, and wrote to `log`, could have succeeded on an idle machine.

        `ray start` says the same when its raylet was late and when it failed; the raylet itself the
        same when its agents were late and when they found a port taken.
        """
        if LATE_NODE not in log.read_text(errors="replace"):
            return False
        for errors in self.session.glob("session_latest/logs/raylet.err"):
            said = errors.read_text(errors="replace")
            if said.strip() and LATE_AGENT not in said:
                return False
        return all(is_free(port) for port in astuple(self.ports))


LOCAL_RAY = {
    # Without it Ray replaces 127.0.0.1 by the machine's address and listens everywhere.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    # HAProxy listens on every address.
    "RAY_SERVE_ENABLE_HA_PROXY": "0",
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "0",
}
"""Settings of a Ray that serves one machine only."""


def _short_temporary() -> str | None:
    return "/tmp" if Path("/tmp").is_dir() else None  # noqa: S108 - mkdtemp's folder is private

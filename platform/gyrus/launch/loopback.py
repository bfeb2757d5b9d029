"""What it takes beyond Ray's own settings to listen on loopback only."""

import sys
from collections.abc import Callable
from typing import Any

from gyrus.launch.ports import LOOPBACK

WORKER_SETUP = {
    "__RAY_WORKER_PROCESS_SETUP_HOOK_ENV_VAR": "gyrus.launch.loopback.keep_grpc_on_loopback"
}
"""In the environment of a Ray head, this makes all of its workers call the function."""


def keep_grpc_on_loopback() -> None:
    """Bind to loopback what this Ray worker would bind to every address.

    A Serve replica (Ray 2.60) has a gRPC server for calls between deployments at the fixed address
    `[::]:0`. It is bound by this helper, which `ray.serve` imports after a worker's set-up.
    """
    from ray._common import tls_utils

    bind: Callable[[Any, str], Any] = tls_utils.add_port_to_grpc_server

    def on_loopback(server: Any, address: str) -> Any:
        return bind(server, f"{LOOPBACK}:{address.rpartition(':')[2]}")

    tls_utils.add_port_to_grpc_server = on_loopback
    replica = sys.modules.get("ray.serve._private.replica")
    if replica is not None:
        replica.add_port_to_grpc_server = on_loopback  # type: ignore[attr-defined]

"""TCP ports on loopback."""

import random
import socket

LOOPBACK = "127.0.0.1"

# Below the ephemeral ports, so that no connection takes a picked port before its user does.
FIRST, LAST = 20_000, 32_000


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of loopback now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def pick_ports(count: int) -> list[int]:
    """Different free ports, for servers that are about to start."""
    candidates = random.sample(range(FIRST, LAST), LAST - FIRST)
    free = (port for port in candidates if is_free(port))
    return [next(free) for _ in range(count)]

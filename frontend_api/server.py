"""uvicorn, stopping without losing a request."""

import signal
import threading
from types import FrameType

import uvicorn


class DrainingServer(uvicorn.Server):
    """Goes on for `seconds` after SIGTERM, each answer asking its client to connect anew.

    For so long load balancers may still send requests, and a connection that is kept alive would
    otherwise be closed just when its client begins the next one.
    """

    def __init__(self, config: uvicorn.Config, *, seconds: float) -> None:
        super().__init__(config)
        self._seconds = seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain at a first SIGTERM; stop at anything else."""
        if sig != signal.SIGTERM or not self._seconds:
            super().handle_exit(sig, frame)
            return
        # uvicorn sends these with each answer, and closes what an answer says is closed.
        self.config.encoded_headers.append((b"connection", b"close"))
        timer = threading.Timer(self._seconds, super().handle_exit, (sig, frame))
        self._seconds = 0
        timer.daemon = True
        timer.start()

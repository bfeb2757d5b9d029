"""What the gateway tells Prometheus."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    start_http_server,
)
from prometheus_client import generate_latest as _generate

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The gateway's counters, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "gyrus_requests",
            "Requests by method, route template and status",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "gyrus_request_seconds",
            "Time to answer, by method and route template",
            ["method", "route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._predictions = Counter(
            "gyrus_predictions",
            "Predictions kept, by decision",
            ["decision"],
            registry=self.registry,
        )
        self._serve_seconds = Histogram(
            "gyrus_serve_seconds",
            "Time of one call to Ray Serve, by application and outcome",
            ["application", "outcome"],
            buckets=SECONDS,
            registry=self.registry,
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request was answered."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(method, route).observe(seconds)

    def prediction(self, decision: str) -> None:
        """One prediction was kept."""
        self._predictions.labels(decision).inc()

    def serve(self, application: str, outcome: str, seconds: float) -> None:
        """One call to Ray Serve ended: `outcome` is the status, or `dropped`."""
        self._serve_seconds.labels(application, outcome).observe(seconds)

    @asynccontextmanager
    async def own_port(self, host: str, port: int) -> AsyncIterator[None]:
        """Answer at a port of their own, which a cluster keeps from the outside; 0 is none."""
        if not port:
            yield
            return
        server, thread = start_http_server(port, host, self.registry)
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        return _generate(self.registry)

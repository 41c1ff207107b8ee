"""Counters of the server, in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """The counters of one server.

    Args:
        waiting, restarts, sessions, used_bytes: read when the counters are asked for.
    """

    def __init__(
        self,
        waiting: Callable[[], float],
        restarts: Callable[[], float],
        sessions: Callable[[], float],
        used_bytes: Callable[[], float],
    ) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "lumiface_requests", "Requests answered", ["method", "route", "status"], registry=self.registry
        )
        self.refused = Counter("lumiface_refused", "Requests refused", ["code"], registry=self.registry)
        self.work = Histogram(
            "lumiface_work_seconds",
            "Work on one photograph",
            ["kind"],
            registry=self.registry,
            buckets=_SECONDS,
        )
        for name, text, read in (
            ("lumiface_waiting", "Photographs that wait, and the one in work", waiting),
            ("lumiface_restarts", "Times the process that restores was started again", restarts),
            ("lumiface_sessions", "Visitors with files here", sessions),
            ("lumiface_stored_bytes", "Bytes of the visitors' files", used_bytes),
        ):
            Gauge(name, text, registry=self.registry).set_function(read)

    def text(self) -> bytes:
        """All counters."""
        return generate_latest(self.registry)

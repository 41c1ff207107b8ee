"""What one server holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from starlette.requests import Request

from lumiface.web.guard.hosts import HostRules
from lumiface.web.guard.password import Password
from lumiface.web.metrics import Metrics
from lumiface.web.settings import WebConfig
from lumiface.web.store import Session, Store
from lumiface.web.work.process import Worker
from lumiface.web.work.queue import WorkQueue


class ServerState:
    """The parts of one server, and what they share.

    Args:
        config: where it listens, and what it takes.
        worker: what restores.
        fixed: options of `RestoreConfig` set by the operator.

    Attributes:
        known: cookies of visitors who have said the password.
        open_requests: requests that are being answered.
    """

    def __init__(self, config: WebConfig, worker: Worker, fixed: Mapping[str, Any] | None = None) -> None:
        self.config, self.fixed = config, dict(fixed or {})
        self.store = Store(config.keep_minutes * 60.0, config.max_storage_gb * 1e9)
        self.queue = WorkQueue(worker, config.queue, config.max_work_seconds, self._observe)
        self.hosts = HostRules(config)
        self.password = Password(config.password.get_secret_value() if config.password else None)
        self.known: set[str] = set()
        self.open_requests = 0
        self.metrics = Metrics(
            lambda: len(self.queue.waiting) + (self.queue.current is not None),
            lambda: self.queue.restarts,
            lambda: len(self.store.sessions),
            self.store.used_bytes,
        )

    def _observe(self, kind: str, seconds: float) -> None:
        self.metrics.work.labels(kind).observe(seconds)


def state_of(request: Request) -> ServerState:
    """The server that a request came to."""
    return cast("ServerState", request.app.state.server)


def session_of(request: Request) -> Session | None:
    """The visitor, if his cookie is one of ours."""
    return cast("Session | None", request.state.session)


def id_of(request: Request) -> str:
    """The request's number."""
    return cast("str", request.state.request_id)

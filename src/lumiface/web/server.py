"""The server's life: a port, a limit for the head of a request, and an end that finishes what runs."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any, cast

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from lumiface.core.errors import SettingError
from lumiface.web.settings import WebConfig
from lumiface.web.state import ServerState

LINGER_SECONDS = 3.0
"""Time that pages have, after the last work before the end, to fetch its result."""

_LATE = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def protocol_with_limit(seconds: float) -> type[H11Protocol]:
    """uvicorn's protocol, closing connections whose next request's head is not there after `seconds`.

    uvicorn limits the size of a head, but not the time it takes: a client that sends a letter a second would
    hold its connection for ever.
    """

    class Limited(H11Protocol):
        _late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._late = self.loop.call_later(seconds, self._close_late)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            cycle = cast("Any", self.cycle)
            if cycle is not None and not cycle.response_complete:
                self._stop_waiting()
            elif self._late is None:
                self._late = self.loop.call_later(seconds, self._close_late)

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _stop_waiting(self) -> None:
            if self._late is not None:
                self._late.cancel()
                self._late = None

        def _close_late(self) -> None:
            self._late = None
            if not self.transport.is_closing():
                self.transport.write(_LATE)
                self.transport.close()

    return Limited


class DrainingServer(uvicorn.Server):
    """On the first signal it takes nothing new (503), finishes what was taken, and ends; on the second it
    ends what is in work, too."""

    def __init__(self, config: uvicorn.Config, state: ServerState, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._state, self._ready = state, ready
        self._draining: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self._serving = asyncio.get_running_loop()
        self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came."""
        del frame
        if self.should_exit:
            self.force_exit = True
            return
        if self._state.queue.stopping:
            self._serving.call_soon_threadsafe(self._state.queue.abandon)
            self.should_exit = True
            return
        self._state.queue.stopping = True
        logging.getLogger("lumiface.web").info("%s: finishing what runs", signal.Signals(sig).name)
        self._serving.call_soon_threadsafe(self._start_draining)

    def _start_draining(self) -> None:
        self._draining = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        queue = self._state.queue
        of_pages = any(session.pictures for session in self._state.store.sessions.values())
        had_work = queue.current is not None or bool(queue.waiting)
        await queue.drain()
        if of_pages and had_work:
            await asyncio.sleep(LINGER_SECONDS)
        self.should_exit = True


def bind(config: WebConfig) -> socket.socket:
    """A socket that listens.

    Raises:
        SettingError: the address is not this machine's, or the port is taken.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        where = f"{config.host}, port {config.port}"
        raise SettingError(f"{where}: cannot listen there ({error.strerror}); try another --port") from error
    return listener


def address_of(config: WebConfig, listener: socket.socket) -> str:
    """What to type into a browser on this machine."""
    host = "127.0.0.1" if config.host in ("0.0.0.0", "::") else config.host
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{listener.getsockname()[1]}"


def make_server(app: FastAPI, config: WebConfig, ready: Callable[[], None]) -> DrainingServer:
    """The server of an app, with its bounds; `ready` is called once it listens."""
    settings = uvicorn.Config(
        app,
        http=protocol_with_limit(config.head_seconds),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=60,
        h11_max_incomplete_event_size=32 << 10,
    )
    return DrainingServer(settings, app.state.server, ready)


def run(app: FastAPI, config: WebConfig, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until a signal comes."""
    make_server(app, config, ready).run(sockets=[listener])

"""Bounds of one request's body: bytes, and the time it may take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from starlette.types import Message, Receive, Send

from lumiface.web.errors import Refusal

SLOWEST = 16_000.0
"""Bytes per second that a client must reach once the first wait is over."""

SEND_SECONDS = 60.0
"""Longest wait for a client to take a part of the answer."""

_LINGER_SECONDS, _LINGER_BYTES = 1.0, 1 << 24


class BoundedBody:
    """Stands between the server and the application for one request.

    Args:
        receive, send: of the server.
        max_bytes: of the body.
        seconds: wait for the body, and one second more for each `SLOWEST` bytes of it.
    """

    def __init__(
        self, headers: Mapping[str, str], receive: Receive, send: Send, max_bytes: float, seconds: float
    ) -> None:
        self._receive, self._send = receive, send
        self._max_bytes, self._seconds = max_bytes, seconds
        self._began, self._bytes = time.monotonic(), 0
        length = headers.get("content-length", "0")
        self._length = int(length) if length.isdigit() else 0
        self._open = self._length > 0 or "transfer-encoding" in headers

    def check_length(self) -> None:
        """Refuse a body by what it says of its length, before any of it is read.

        Raises:
            Refusal: it is too long.
        """
        if self._length > self._max_bytes:
            raise self._too_large()

    async def receive(self) -> Message:
        """The next part of the body.

        Raises:
            Refusal: the body is too long, or too slow.
        """
        if not self._open:
            return await self._receive()
        left = self._began + self._seconds + self._bytes / SLOWEST - time.monotonic()
        try:
            message = await asyncio.wait_for(self._receive(), max(left, 0.01))
        except TimeoutError:
            line = f"the request came too slowly: {self._bytes} bytes; try again over a better connection"
            raise Refusal(408, "too_slow", line) from None
        self._bytes += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body", False):
            self._open = False
        if self._bytes > self._max_bytes:
            raise self._too_large()
        return message

    async def send(self, message: Message) -> None:
        """A part of the answer.

        If the body was not read to its end, the connection is closed after the answer, but not before the
        client has had the time to read it: else it may see nothing but a reset.
        """
        early = self._open
        if early and message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), (b"connection", b"close")]}
        last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if early and last:
            await self._send_in_time({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body", "body": b""}
        await self._send_in_time(message)

    async def _send_in_time(self, message: Message) -> None:
        await asyncio.wait_for(self._send(message), SEND_SECONDS)

    async def _linger(self) -> None:
        """Read on for a moment, and throw it away."""
        taken, end = 0, time.monotonic() + _LINGER_SECONDS
        while self._open and taken < _LINGER_BYTES and (left := end - time.monotonic()) > 0:
            try:
                message = await asyncio.wait_for(self._receive(), left)
            except TimeoutError:
                return
            taken += len(message.get("body", b""))
            self._open = message["type"] == "http.request" and message.get("more_body", False)

    def _too_large(self) -> Refusal:
        most = f"{self._max_bytes / 1e6:g} MB"
        return Refusal(413, "too_large", f"the request has more than {most}; send a smaller photograph")

"""The gate: every request passes it, gets a number, a line in the log, and headers that confine the page."""

from __future__ import annotations

import logging
import re
import secrets
import time
from http.cookies import CookieError, SimpleCookie

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lumiface.web.errors import Refusal
from lumiface.web.guard.bounds import BoundedBody
from lumiface.web.guard.hosts import SAFE, headers_of
from lumiface.web.state import ServerState
from lumiface.web.work.queue import STOPPING

log = logging.getLogger("lumiface.web")

COOKIE = "lumiface"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

HEADERS = {
    # Nothing is loaded from elsewhere, and nothing is sent there; blob: is a photograph that was just picked.
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}

_OPEN = ("/health", "/login")
_GUARDED = ("/session", "/v1", "/metrics", "/openapi.json")


class Gate:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, state: ServerState) -> None:
        self._app, self._state = app, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state, headers, began = self._state, headers_of(scope["headers"]), time.monotonic()
        request_id = headers.get("x-request-id", "")
        request_id = request_id if _ID.fullmatch(request_id) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        config, status = state.config, 0
        body = BoundedBody(headers, receive, send, config.max_upload_mb * 1e6, config.body_seconds)

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                more = {**HEADERS, "X-Request-Id": request_id}
                names = {name.lower() for name, _ in message.get("headers", [])}
                added = [(k.encode(), v.encode()) for k, v in more.items() if k.lower().encode() not in names]
                message = {**message, "headers": [*message.get("headers", []), *added]}
            await body.send(message)

        state.open_requests += 1
        try:
            try:
                self._check(scope, headers)
                body.check_length()
                await self._app(scope, body.receive, marked)
            except Refusal as refusal:
                if status:
                    raise
                state.metrics.refused.labels(refusal.code).inc()
                await refusal.response(request_id)(scope, receive, marked)
        except (TimeoutError, ConnectionError):
            status = status or 499  # the client is gone, or does not read
        finally:
            state.open_requests -= 1
            seconds = time.monotonic() - began
            route = getattr(scope.get("route"), "path", "other")
            state.metrics.requests.labels(scope["method"], route, str(status)).inc()
            log.info("%s %s %s %d %.3f s", request_id, scope["method"], route, status, seconds)

    def _check(self, scope: Scope, headers: dict[str, str]) -> None:
        state, method, path = self._state, scope["method"], scope["path"]
        state.hosts.check(method, path, headers)
        if state.open_requests > state.config.max_requests:
            raise Refusal(429, "busy", "too many requests at the same time; try again", state.queue.wait)
        if (
            state.queue.stopping
            and path != "/health"
            and not (method in SAFE and path.startswith("/session"))
        ):
            raise Refusal(503, "stopping", STOPPING, 30)
        session = state.store.session(_cookie(headers))
        scope["state"]["session"] = session
        if not path.startswith(_GUARDED) or path in _OPEN:
            return
        known = session is not None and session.token in state.known
        if not known and not state.password.check_header(headers.get("authorization")):
            raise Refusal(401, "password", "a password is needed: Authorization: Bearer PASSWORD, or Basic")


def _cookie(headers: dict[str, str]) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return None if found is None else found.value

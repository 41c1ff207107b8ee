"""Refusals: what a client did wrong or what the server cannot do now, as problem documents (RFC 9457)."""

from __future__ import annotations

import http
import math

from starlette.responses import JSONResponse


class Refusal(Exception):
    """A request that is not served.

    Args:
        status: of HTTP.
        code: one word for programs; the page has a sentence for each.
        detail: one line for people: what is wrong and how to mend it.
        retry_after: seconds after which the same request may be served.
    """

    def __init__(self, status: int, code: str, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.retry_after = status, code, detail, retry_after

    def response(self, request_id: str) -> JSONResponse:
        """The answer."""
        content = {
            "type": "about:blank",
            "title": http.HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "request_id": request_id,
        }
        headers: dict[str, str] = {}
        if self.retry_after is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after)))
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="lumiface"'
        return JSONResponse(content, self.status, headers, "application/problem+json")

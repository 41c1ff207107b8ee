"""The application: routes, static files, refusals, and the time after which files are deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from lumiface import __version__
from lumiface.web import api, page
from lumiface.web.errors import Refusal
from lumiface.web.guard.gate import Gate
from lumiface.web.settings import WebConfig
from lumiface.web.state import ServerState, id_of
from lumiface.web.work.handle import Setup
from lumiface.web.work.process import Worker, WorkerProcess

STATIC = Path(__file__).parent / "static"
_JANITOR_SECONDS = 20.0


class _Pages(StaticFiles):
    """Files of the page; browsers ask each time whether one has changed."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def build_app(
    config: WebConfig | None = None,
    *,
    worker: Worker | None = None,
    fixed: Mapping[str, Any] | None = None,
    device: str = "cpu",
) -> FastAPI:
    """The application of one server; `app.state.server` is what it holds.

    Args:
        config: where it listens, and what it takes.
        worker: what restores, instead of a process of its own.
        fixed: options of `RestoreConfig` that requests cannot set (`options.OPERATORS`).
        device: where the networks run.
    """
    fixed = dict(fixed or {})
    state = ServerState(config or WebConfig(), worker or WorkerProcess(Setup(device)), fixed)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        state.queue.start()
        janitor = asyncio.create_task(_delete_old(state))
        try:
            yield
        finally:
            janitor.cancel()
            with suppress(asyncio.CancelledError):
                await janitor
            await state.queue.close()
            state.store.close()

    app = FastAPI(
        title="lumiface",
        version=__version__,
        description="Restores dark, small or damaged photographs of people. Restored detail is invented in "
        "part: do not use it to identify anybody.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        exception_handlers={
            Refusal: _refused,
            HTTPException: _http_error,
            RequestValidationError: _invalid,
            ClientDisconnect: _gone,
        },
    )
    app.state.server = state
    app.include_router(api.router)
    app.include_router(page.router)
    app.mount("/", _Pages(directory=STATIC, html=True))
    app.add_middleware(cast("Any", Gate), state=state)
    return app


async def _refused(request: Request, error: Exception) -> Response:
    refusal = cast("Refusal", error)
    request.app.state.server.metrics.refused.labels(refusal.code).inc()
    return refusal.response(id_of(request))


async def _http_error(request: Request, error: Exception) -> Response:
    fault = cast("HTTPException", error)
    line = f"{request.method} {request.url.path[:200]}: {str(fault.detail).lower()}; see /api.html"
    return Refusal(fault.status_code, "bad_request", line).response(id_of(request))


async def _invalid(request: Request, error: Exception) -> Response:
    first = cast("RequestValidationError", error).errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return Refusal(422, "bad_request", f"{place}: {first['msg']}").response(id_of(request))


async def _gone(request: Request, error: Exception) -> Response:
    del request, error
    return Response(status_code=400)  # nobody reads it


async def _delete_old(state: ServerState) -> None:
    while True:
        await asyncio.sleep(min(_JANITOR_SECONDS, state.store.keep_seconds))
        for session in state.store.delete_old():
            state.known.discard(session.token)

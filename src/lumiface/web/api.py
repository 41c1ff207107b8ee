"""The server for programs: restore, find faces, list models, health, counters."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lumiface import __version__
from lumiface.core.errors import SettingError
from lumiface.registry import list_models
from lumiface.restoration.tasks import resolve_task
from lumiface.web.answers import Finished, json_answer, picture_answer, zip_answer
from lumiface.web.errors import Refusal
from lumiface.web.incoming import Incoming, read_request
from lumiface.web.options import check_boxes, check_model, parse_options
from lumiface.web.schemas import FACES, RESTORE, Health, Models
from lumiface.web.state import ServerState, id_of, state_of
from lumiface.web.work.queue import Work
from lumiface.web.work.tasks import Task

router = APIRouter()

ANSWERS = ("picture", "zip", "json")


@router.post("/v1/restore", openapi_extra=RESTORE, summary="Restore one photograph, or several")
async def restore(request: Request) -> Response:
    """Every face gets what it lacks; options as of `lumiface restore`.

    One photograph comes back as it came, its report in the header `X-Lumiface-Report`; several come back as a
    ZIP with report.json, or as JSON.
    """
    state, folder = state_of(request), state_of(request).store.new_folder()
    after = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    try:
        incoming = await _read(request, state, folder)
        answer = incoming.answer or request.query_params.get("answer")
        answer = answer or ("picture" if len(incoming.files) == 1 else "zip")
        if answer not in ANSWERS or (answer == "picture" and len(incoming.files) > 1):
            raise Refusal(422, "bad_request", "answer: picture (for one photograph), zip or json")
        works = state.queue.submit(_tasks("restore", incoming, state, folder), id_of(request))
        await _finish(request, state, works)
        finished = [Finished(work.task.name, work.task.folder, work.answer, work.error) for work in works]
        if works[0].refusal is not None and all(work.answer is None for work in works):
            raise works[0].refusal
        if answer == "picture":
            return picture_answer(finished[0], after)
        if answer == "zip":
            return await asyncio.to_thread(zip_answer, finished, folder / "lumiface.zip", after)
        return await asyncio.to_thread(json_answer, finished, after)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@router.post("/v1/faces", openapi_extra=FACES, summary="Find the faces of a photograph")
async def faces(request: Request) -> Response:
    """Boxes x1, y1, x2, y2 in pixels and scores from 0 to 1, the largest first."""
    state, folder = state_of(request), state_of(request).store.new_folder()
    try:
        incoming = await _read(request, state, folder)
        works = state.queue.submit(_tasks("find", incoming, state, folder), id_of(request))
        await _finish(request, state, works)
        if works[0].refusal is not None and all(work.answer is None for work in works):
            raise works[0].refusal
        records = [
            {
                "name": work.task.name,
                **(work.answer or {"error": work.refusal.detail if work.refusal else ""}),
            }
            for work in works
        ]
        return JSONResponse({"pictures": records})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@router.get("/v1/models", summary="The models that restore")
async def models() -> Models:
    """Names for the field `model` of a request, each with the task that it was trained for."""
    found: list[dict[str, str]] = []
    for name in list_models():
        with suppress(SettingError):  # one that restores no faces
            found.append({"name": name, "task": resolve_task(None, name)[0].name})
    return Models.model_validate({"models": found})


@router.get("/health", summary="Whether the server works", responses={503: {"description": "being stopped"}})
async def health(request: Request, response: Response) -> Health:
    """Needs no password."""
    state = state_of(request)
    response.status_code = 503 if state.queue.stopping else 200
    waiting = len(state.queue.waiting) + (state.queue.current is not None)
    return Health(status="stopping" if state.queue.stopping else "ok", version=__version__, waiting=waiting)


@router.get("/metrics", summary="Counters in Prometheus' text format", response_class=Response)
async def metrics(request: Request) -> Response:
    """Requests, refusals, waiting photographs, seconds of work."""
    return Response(state_of(request).metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _read(request: Request, state: ServerState, folder: Path) -> Incoming:
    """Refuses before the body is read what would be refused after it."""
    state.queue.check()
    state.store.check_room()
    return await read_request(request, folder, state.config.queue)


def _tasks(kind: Any, incoming: Incoming, state: ServerState, folder: Path) -> list[Task]:
    config = parse_options(incoming.options, state.fixed)
    model, boxes = check_model(incoming.model), check_boxes(incoming.boxes)
    if boxes and len(incoming.files) != 1:
        raise Refusal(422, "bad_option", "boxes belong to one photograph; send that one alone")
    tasks: list[Task] = []
    for number, (name, path) in enumerate(incoming.files):
        place = folder / str(number)
        place.mkdir()
        tasks.append(Task(kind, path, name, place, config, model, boxes, state.config.max_megapixels))
    return tasks


async def _finish(request: Request, state: ServerState, works: Sequence[Work]) -> None:
    """Wait until all are done; if the program goes away meanwhile, they are taken back."""
    done = asyncio.gather(*(work.finished.wait() for work in works))
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({done, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for future in (gone, done):
            if not future.done():
                future.cancel()
                with suppress(asyncio.CancelledError):
                    await future
        for work in works:
            if not work.finished.is_set():
                state.queue.cancel(work)
    for work in works:
        if work.killed and not work.finished.is_set():
            await work.finished.wait()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass

"""What the page asks for: a visitor's photographs, their faces, their restoration, their files."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from lumiface import __version__
from lumiface.web.answers import Finished, attachment, zip_answer
from lumiface.web.errors import Refusal
from lumiface.web.guard.gate import COOKIE
from lumiface.web.options import parse_options, visitor_schema
from lumiface.web.state import ServerState, id_of, session_of, state_of
from lumiface.web.store import Session, StoredPicture, result_name
from lumiface.web.work.tasks import AFTER, BEFORE, PRIOR, TURNTABLE, Task

router = APIRouter(include_in_schema=False)

_SHOWN = {BEFORE: "image/webp", AFTER: "image/webp", PRIOR: "image/png", TURNTABLE: "image/gif"}
_ENDED = ("done", "failed", "cancelled")


class Order(BaseModel):
    """A restoration that is asked for.

    Attributes:
        options: as of `RestoreConfig`.
        faces: numbers of the found faces to restore; None: all.
    """

    model_config = ConfigDict(extra="forbid")

    options: dict[str, Any] = {}
    faces: list[int] | None = None


class Said(BaseModel):
    """The password of a visitor."""

    password: str


@router.get("/session")
async def session(request: Request) -> Response:
    """Limits, options and the visitor's photographs."""
    state, visitor = state_of(request), session_of(request)
    return JSONResponse(
        {
            "version": __version__,
            "max_upload_mb": state.config.max_upload_mb,
            "max_megapixels": state.config.max_megapixels,
            "keep_minutes": state.config.keep_minutes,
            "options": visitor_schema()["properties"],
            "pictures": [] if visitor is None else [_record(state, p) for p in visitor.pictures.values()],
        },
        headers={"Cache-Control": "no-store"},
    )


@router.post("/login")
async def login(request: Request, said: Said) -> Response:
    """A cookie for a visitor who knows the password."""
    state = state_of(request)
    if not state.password.check(said.password):
        await asyncio.sleep(0.5)
        raise Refusal(401, "wrong_password", "this is not the password")
    visitor = state.store.open_session()
    state.known.add(visitor.token)
    return _with_cookie(JSONResponse({}), visitor, request)


@router.delete("/session")
async def forget(request: Request) -> Response:
    """Delete all of the visitor's files."""
    state, visitor = state_of(request), _visitor(request)
    for id_ in list(visitor.pictures):
        _take_back(state, visitor.pictures[id_])
        state.store.remove(visitor, id_)
    return JSONResponse({})


@router.post("/session/pictures")
async def upload(request: Request, name: str = "photo") -> Response:
    """Take one photograph, the body of the request, and look for its faces."""
    state = state_of(request)
    state.queue.check()
    known = session_of(request)
    visitor = known or state.store.open_session()
    picture: StoredPicture | None = None
    try:
        picture = state.store.add(visitor, name)
        with picture.upload.open("wb") as target:
            async for data in request.stream():
                target.write(data)
        _submit(state, picture, Task("find", picture.upload, picture.name, picture.folder), request)
    except BaseException:
        if known is None:
            state.store.close_session(visitor)
        elif picture is not None:
            state.store.remove(visitor, picture.id)
        raise
    return _with_cookie(JSONResponse(_record(state, picture), 202), visitor, request)


@router.get("/session/pictures/{id_}")
async def picture(request: Request, id_: str) -> Response:
    """What is known of a photograph, and what is being done to it."""
    return _answer(state_of(request), _visitor(request).picture(id_))


@router.post("/session/pictures/{id_}/restore")
async def restore(request: Request, id_: str, order: Order) -> Response:
    """Restore a photograph whose faces are found."""
    state, found = state_of(request), _visitor(request).picture(id_)
    if found.found is None or (found.work is not None and found.work.state not in _ENDED):
        raise Refusal(409, "in_work", "this photograph is in work; wait for it, or cancel that")
    options, boxes = dict(order.options), ()
    faces = found.found["faces"]
    chosen = range(len(faces)) if order.faces is None else sorted(set(order.faces))
    if any(not 0 <= number < len(faces) for number in chosen):
        raise Refusal(422, "bad_option", f"faces: this photograph has {len(faces)}, counted from 0")
    if not chosen and faces:
        options["faces"] = "none"
    elif len(chosen) < len(faces):
        boxes = tuple(_box(faces[number]["box"]) for number in chosen)
    config = parse_options(options, state.fixed)
    found.result = None
    task = Task("restore", found.upload, found.name, found.folder, config, None, boxes)
    _submit(state, found, task, request)
    return _answer(state, found, 202)


@router.post("/session/pictures/{id_}/cancel")
async def cancel(request: Request, id_: str) -> Response:
    """Stop the work on a photograph."""
    state, found = state_of(request), _visitor(request).picture(id_)
    work = found.work
    if work is not None and work.state not in _ENDED:
        state.queue.cancel(work)
        await work.finished.wait()
    return _answer(state, found)


@router.delete("/session/pictures/{id_}")
async def delete(request: Request, id_: str) -> Response:
    """Delete a photograph and all that was made of it."""
    state, visitor = state_of(request), _visitor(request)
    _take_back(state, visitor.picture(id_))
    state.store.remove(visitor, id_)
    return JSONResponse({})


@router.get("/session/pictures/{id_}/files/{name}")
async def file(request: Request, id_: str, name: str) -> Response:
    """A picture for the screen, or the result for the disk; other names are no files."""
    found = _visitor(request).picture(id_)
    found.take_over()
    if name == "result" and found.result is not None:
        file_name = found.result["file"]
        return attachment(found.folder / file_name, result_name(found.name, file_name))
    maps = {face.get("heat"): "image/png" for face in (found.result or {}).get("faces", [])}
    media = _SHOWN.get(name) or maps.get(name)
    path = found.folder / name if media is not None else Path()
    if media is None or not path.is_file():
        raise Refusal(404, "no_picture", "there is no such file")
    return FileResponse(path, media_type=media, headers={"Cache-Control": "no-store"})


@router.get("/session/results.zip")
async def results(request: Request) -> Response:
    """All restored photographs of the visitor."""
    state, visitor = state_of(request), _visitor(request)
    for found in visitor.pictures.values():
        found.take_over()
    finished = [
        Finished(found.name, found.folder, found.result)
        for found in visitor.pictures.values()
        if found.result is not None
    ]
    if not finished:
        raise Refusal(404, "no_picture", "nothing is restored yet")
    state.store.check_room()
    target = state.store.new_folder() / "lumiface.zip"

    def clean() -> None:
        target.unlink(missing_ok=True)
        target.parent.rmdir()

    return await asyncio.to_thread(zip_answer, finished, target, BackgroundTask(clean))


def _visitor(request: Request) -> Session:
    found = session_of(request)
    if found is None:
        raise Refusal(404, "no_session", "your photographs are not here any more; add them again")
    return found


def _submit(state: ServerState, picture: StoredPicture, task: Task, request: Request) -> None:
    (picture.work,) = state.queue.submit([_bounded(task, state)], id_of(request))


def _bounded(task: Task, state: ServerState) -> Task:
    config = task.config if task.kind == "restore" else parse_options({}, state.fixed)
    return replace(task, config=config, max_megapixels=state.config.max_megapixels, previews=True)


def _take_back(state: ServerState, picture: StoredPicture) -> None:
    if picture.work is not None and picture.work.state not in _ENDED:
        state.queue.cancel(picture.work)


def _answer(state: ServerState, picture: StoredPicture, status: int = 200) -> Response:
    return JSONResponse(_record(state, picture), status, {"Cache-Control": "no-store"})


def _record(state: ServerState, picture: StoredPicture) -> dict[str, Any]:
    return picture.record(0 if picture.work is None else state.queue.position(picture.work))


def _box(corners: list[float]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = corners
    return x1, y1, x2 - x1, y2 - y1


def _with_cookie(response: Response, visitor: Session, request: Request) -> Response:
    # A server with HTTPS before this one says so; a browser that is deceived by it keeps no cookie.
    secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
    response.set_cookie(COOKIE, visitor.token, httponly=True, samesite="strict", secure=secure, path="/")
    return response

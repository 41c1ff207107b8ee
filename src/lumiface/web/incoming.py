"""Photographs of a program's request: a form of several parts, or JSON with base64."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from lumiface.web.errors import Refusal
from lumiface.web.options import form_value
from lumiface.web.store import clean_name

_NO_PICTURE = 'send a form with a file named "picture", or JSON {"picture": "base64..."}'
_CHUNK = 1 << 20
_OWN = ("picture", "model", "boxes", "answer")


@dataclass(slots=True)
class Incoming:
    """What a program sent.

    Attributes:
        files: name and path of each photograph.
        options: by name, as of `RestoreConfig`.
        model, boxes, answer: the other fields of the request, unchecked.
    """

    files: list[tuple[str, Path]] = field(default_factory=list[tuple[str, Path]])
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    model: Any = None
    boxes: Any = None
    answer: Any = None


async def read_request(request: Request, folder: Path, most: int) -> Incoming:
    """The photographs of a request, written to a folder under names of our own.

    Args:
        most: photographs in one request.

    Raises:
        Refusal: there is none, or the request is not as it should be.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        found = await _of_form(request, folder, most)
    elif kind == "application/json":
        found = _of_json(await request.body(), folder, most)
    else:
        raise Refusal(415, "bad_request", f"{kind or 'no content type'}: {_NO_PICTURE}")
    if not found.files:
        raise Refusal(422, "bad_request", f"no photograph; {_NO_PICTURE}")
    return found


async def _of_form(request: Request, folder: Path, most: int) -> Incoming:
    found = Incoming()
    try:
        async with request.form(max_files=most, max_fields=100, max_part_size=1 << 20) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    if name != "picture":
                        raise Refusal(422, "bad_request", f"file {name[:80]!r}: {_NO_PICTURE}")
                    path = folder / f"upload-{len(found.files)}"
                    with path.open("wb") as target:
                        while data := await value.read(_CHUNK):
                            target.write(data)
                    found.files.append((clean_name(value.filename or "photo"), path))
                elif name in _OWN:
                    _set(found, name, value)
                else:
                    found.options[name] = form_value(value)
    except MultiPartException as error:
        raise Refusal(400, "bad_request", f"the form cannot be read ({error.message})") from error
    return found


def _of_json(body: bytes, folder: Path, most: int) -> Incoming:
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "bad_request", f"the request is not JSON ({error})") from error
    if not isinstance(given, dict):
        raise Refusal(422, "bad_request", _NO_PICTURE)
    fields = cast("dict[str, Any]", given)
    known = ("picture", "pictures", "options", "model", "boxes", "answer")
    if unknown := [name for name in fields if name not in known]:
        raise Refusal(422, "bad_request", f"{unknown[0][:80]}: no such field; there are {', '.join(known)}")
    pictures = fields.get("pictures", [fields["picture"]] if "picture" in fields else [])
    options = fields.get("options") or {}
    if not isinstance(pictures, list) or not isinstance(options, dict):
        raise Refusal(422, "bad_request", "pictures is a list, and options are {name: value}")
    pictures = cast("list[Any]", pictures)
    if len(pictures) > most:
        raise Refusal(413, "too_many", f"at most {most} photographs in one request; send fewer")
    found = Incoming(
        options=cast("dict[str, Any]", options),
        model=fields.get("model"),
        boxes=fields.get("boxes"),
        answer=fields.get("answer"),
    )
    for number, picture in enumerate(pictures):
        name, text = f"photo-{number + 1}", picture
        if isinstance(picture, dict):
            parts = cast("dict[str, Any]", picture)
            name, text = str(parts.get("name", name)), parts.get("data")
        if not isinstance(text, str):
            raise Refusal(422, "bad_request", 'a picture is base64, or {"name": ..., "data": base64}')
        try:
            data = base64.b64decode(
                text.partition(",")[2] if text.startswith("data:") else text, validate=True
            )
        except (binascii.Error, ValueError) as error:
            raise Refusal(422, "bad_request", f"picture {number + 1} is not base64 ({error})") from error
        path = folder / f"upload-{number}"
        path.write_bytes(data)
        found.files.append((clean_name(name), path))
    return found


def _set(found: Incoming, name: str, value: str) -> None:
    match name:
        case "model":
            found.model = value or None
        case "boxes":
            found.boxes = value or None
        case "answer":
            found.answer = value
        case _:
            raise Refusal(422, "bad_request", f"picture is text; {_NO_PICTURE}")

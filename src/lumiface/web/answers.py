"""Answers to programs: the picture, a ZIP of several, or JSON with base64."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.background import BackgroundTask
from starlette.responses import FileResponse, JSONResponse, Response

from lumiface.web.store import result_name
from lumiface.web.work.tasks import PRIOR, TURNTABLE, Answer

MEDIA = {
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".tif": "image/tiff",
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".avif": "image/avif",
    ".heic": "image/heic",
    ".json": "application/json",
}
REPORT_HEADER = "X-Lumiface-Report"
_LONGEST_HEADER = 6000


@dataclass(frozen=True, slots=True)
class Finished:
    """One photograph of a request.

    Attributes:
        name: as the program calls it.
        folder: of its files.
        answer: the report; None if it failed.
        error: why, in one line.
    """

    name: str
    folder: Path
    answer: Answer | None
    error: str = ""

    @property
    def record(self) -> dict[str, Any]:
        """Its entry in the report."""
        if self.answer is None:
            return {"name": self.name, "error": self.error}
        return {"name": self.name, "result": result_name(self.name, self.answer["file"]), **self.answer}


def attachment(
    path: Path, name: str, headers: dict[str, str] | None = None, after: BackgroundTask | None = None
) -> FileResponse:
    """A file to be saved, never shown: a picture is no page, whatever is in it."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_").replace("\\", "_")
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    all_headers = {"Content-Disposition": disposition, "Cache-Control": "no-store", **(headers or {})}
    media = MEDIA.get(path.suffix, "application/octet-stream")
    return FileResponse(path, headers=all_headers, media_type=media, background=after)


def picture_answer(finished: Finished, after: BackgroundTask) -> Response:
    """The picture, its report in a header."""
    assert finished.answer is not None
    name = result_name(finished.name, finished.answer["file"])
    headers = {REPORT_HEADER: _in_a_header(finished.record)}
    return attachment(finished.folder / finished.answer["file"], name, headers, after)


def zip_answer(all_: Sequence[Finished], target: Path, after: BackgroundTask) -> Response:
    """All pictures, what belongs to them, and report.json."""
    write_zip(all_, target)
    name = "lumiface.zip"
    return FileResponse(
        target,
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
        background=after,
    )


def json_answer(all_: Sequence[Finished], after: BackgroundTask) -> Response:
    """All pictures in base64, each with its report."""
    records: list[dict[str, Any]] = []
    for finished in all_:
        record = finished.record
        if finished.answer is not None:
            data = (finished.folder / finished.answer["file"]).read_bytes()
            record = record | {"data": base64.b64encode(data).decode()}
        records.append(record)
    return JSONResponse({"pictures": records}, background=after)


def write_zip(all_: Sequence[Finished], target: Path) -> None:
    """A ZIP file; pictures are not compressed again, and no two have one name."""
    taken: set[str] = {"report.json"}
    records: list[dict[str, Any]] = []
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for finished in all_:
            record = finished.record
            if finished.answer is not None:
                record["result"] = _free_name(record["result"], taken)
                archive.write(finished.folder / finished.answer["file"], record["result"])
                for extra in (PRIOR, TURNTABLE) if finished.answer["prior"] else ():
                    name = _free_name(f"{Path(record['result']).stem}_{extra}", taken)
                    archive.write(finished.folder / extra, name)
            records.append(record)
        archive.writestr("report.json", json.dumps({"pictures": records}, indent=1, ensure_ascii=False))


def _free_name(name: str, taken: set[str]) -> str:
    free, number = name, 2
    while free.lower() in taken:
        free = f"{Path(name).stem}-{number}{Path(name).suffix}"
        number += 1
    taken.add(free.lower())
    return free


def _in_a_header(record: dict[str, Any]) -> str:
    text = json.dumps(record)
    if len(text) > _LONGEST_HEADER:
        faces = len(record["faces"])
        text = json.dumps({**record, "faces": [], "faces_left_out": faces})
    return text

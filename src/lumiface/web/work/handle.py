"""The process that restores: takes one task after the other, and holds the networks between them."""

from __future__ import annotations

import json
import os
import signal
import time
import traceback
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from lumiface.core.errors import LumifaceError
from lumiface.core.files import write_bytes
from lumiface.faces.turns import turn_face
from lumiface.faces.upright import find_upright
from lumiface.imaging.codec.decode import decode
from lumiface.imaging.codec.encode import missing_for_writing
from lumiface.imaging.codec.formats import WRITABLE, Format
from lumiface.imaging.io import Picture, picture_of_raster, write_picture
from lumiface.restoration.prior_view import save_prior
from lumiface.restoration.restored import Restored, unmarked_notes
from lumiface.restoration.restorer import Restorer
from lumiface.web.work.report import restored_record, write_for_screen, write_heat_maps
from lumiface.web.work.tasks import AFTER, BEFORE, PRIOR, REPORT, TURNTABLE, Announce, Answer, Task

HELD = 3
"""Restorers that are kept, each for its options; another costs half a second."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What the process is started with.

    Attributes:
        device: where the networks run.
        fixed: options of `RestoreConfig` that the operator has set.
    """

    device: str = "cpu"
    fixed: Mapping[str, Any] | None = None


class _Staged(Restorer):
    """A restorer that says what it is doing."""

    announce: Announce

    def _restore_upright(self, *args: Any, **named: Any) -> Restored[Picture]:
        found = args[1] if len(args) > 1 else named["found"]
        self.announce("restoring", len(found.faces))
        return super()._restore_upright(*args, **named)

    def paint(self, *args: Any, **named: Any) -> Any:
        faces = args[2] if len(args) > 2 else named["faces"]
        self.announce("surroundings", len(faces))
        return super().paint(*args, **named)


class Handler:
    """Does the tasks, in the process that holds the networks."""

    def __init__(self, setup: Setup) -> None:
        self._device = setup.device
        self._held: OrderedDict[tuple[str | None, str], _Staged] = OrderedDict()

    def __call__(self, task: Task, announce: Announce) -> Answer:
        """The answer to one task.

        Raises:
            LumifaceError: the photograph or an option cannot be used.
        """
        announce("reading", 0)
        data = task.source.read_bytes()
        picture = picture_of_raster(decode(data, task.name, task.max_megapixels), None)
        del data
        restorer = self._restorer(task, announce)
        announce("finding", 0)
        return (
            self._find(task, picture, restorer)
            if task.kind == "find"
            else self._restore(task, picture, restorer)
        )

    def _restorer(self, task: Task, announce: Announce) -> _Staged:
        key = (task.model, task.config.model_dump_json())
        found = self._held.pop(key, None)
        if found is None:
            while len(self._held) >= HELD:
                self._held.popitem(last=False)
            found = _Staged(task.model, task.config, self._device)
        self._held[key] = found
        found.announce = announce
        return found

    def _find(self, task: Task, picture: Picture, restorer: Restorer) -> Answer:
        height, width = picture.rgb.shape[-2:]
        found = find_upright(
            picture.rgb.to(restorer.device), restorer.detector, min_face=task.config.min_face
        )
        wide, high = (height, width) if found.quarters % 2 else (width, height)
        faces = [
            {
                "box": [round(value, 1) for value in turn_face(face, -found.quarters, wide, high).box],
                "score": round(face.score, 4),
                "rotated": rotated,
            }
            for group, rotated in ((found.faces, False), (found.rotated, True))
            for face in group
        ]
        if task.previews:
            write_for_screen(picture, task.folder / BEFORE)
        return {
            "width": width,
            "height": height,
            "format": picture.info.format,
            "faces": faces,
            "notes": list(picture.info.remarks),
        }

    def _restore(self, task: Task, picture: Picture, restorer: _Staged) -> Answer:
        began = time.perf_counter()
        restored = restorer(picture, task.boxes)
        restorer.announce("writing", len(restored.faces))
        format_ = _format_of_result(restored.picture)
        name = f"result{WRITABLE[format_].suffix}"
        write_picture(restored.picture, task.folder / name)
        restored.notes.extend(unmarked_notes(restored.picture, format_))
        answer: Answer = restored_record(restored) | {"file": name, "prior": bool(restored.priors)}
        if restored.priors:
            sheet, turntable = save_prior(restored.priors, task.folder / "result.png")
            os.replace(sheet, task.folder / PRIOR)
            os.replace(turntable, task.folder / TURNTABLE)
        if task.previews:
            write_for_screen(restored.picture, task.folder / AFTER)
            maps = write_heat_maps(restored.faces, task.folder)
            for face, heat in zip(answer["faces"], maps, strict=True):
                face["heat"] = heat
        answer["seconds"] = round(time.perf_counter() - began, 2)
        write_bytes(task.folder / REPORT, json.dumps(answer, indent=1).encode())
        return answer


def _format_of_result(picture: Picture) -> Format:
    """That of the upload, or one that holds the same."""
    format_: Format = picture.info.format
    if format_ == "RAW":
        return "TIFF"
    lacks_alpha = picture.alpha is not None and not WRITABLE[format_].alpha
    return "PNG" if missing_for_writing(format_) or lacks_alpha else format_


def serve(connection: Connection, setup: Setup) -> None:
    """Answer tasks until the other end closes.

    Messages sent are ("stage", stage, faces), and at the end of each task ("done", answer), ("refused", line)
    or ("fault", traceback).
    """
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)  # the server ends this process, after the work
    handler = Handler(setup)
    connection.send(("ready",))
    while True:
        try:
            task: Task = connection.recv()
        except EOFError:
            return
        try:
            answer = handler(task, lambda stage, faces: connection.send(("stage", stage, faces)))
            connection.send(("done", answer))
        except LumifaceError as error:
            connection.send(("refused", str(error)))
        except BrokenPipeError:
            return
        except Exception as error:
            if isinstance(error, MemoryError) or "allocate memory" in str(error):
                connection.send(("refused", f"{task.name}: not enough memory; use a smaller scale"))
            else:
                connection.send(("fault", traceback.format_exc()))

"""The visitors' files: each visitor has a folder of his own, deleted some time after its last use."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from lumiface.web.errors import Refusal
from lumiface.web.work.queue import Work
from lumiface.web.work.tasks import Answer

PREFIX = "lumiface-web-"
MAX_PICTURES = 100
"""Pictures of one visitor."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(eq=False)
class StoredPicture:
    """One photograph of a visitor.

    Attributes:
        name: as the visitor calls it; never used as a path.
        work: the last task on it.
        found: its size and faces, once they are found.
        result: the report, once it is restored.
    """

    id: str
    name: str
    folder: Path
    work: Work | None = None
    found: Answer | None = None
    result: Answer | None = None

    @property
    def upload(self) -> Path:
        """The file that came."""
        return self.folder / "upload"

    def take_over(self) -> None:
        """Keep what the last task has found."""
        if self.work is not None and self.work.answer is not None:
            if self.work.task.kind == "find":
                self.found = self.work.answer
            else:
                self.result = self.work.answer

    def record(self, position: int) -> dict[str, Any]:
        """What the page is given of it.

        Args:
            position: how many tasks are before its own.
        """
        self.take_over()
        work = self.work
        refusal = None if work is None else work.refusal
        return {
            "id": self.id,
            "name": self.name,
            "kind": None if work is None else work.task.kind,
            "state": "waiting" if work is None else work.state,
            "stage": None if work is None else work.stage,
            "working_on": 0 if work is None else work.faces,
            "position": position,
            "found": self.found,
            "result": self.result,
            "error": None if refusal is None else {"code": refusal.code, "detail": refusal.detail},
        }


@dataclass(eq=False)
class Session:
    """One visitor: known by a cookie that cannot be guessed."""

    token: str
    folder: Path
    used: float
    pictures: dict[str, StoredPicture] = field(default_factory=dict[str, StoredPicture])

    def picture(self, id_: str) -> StoredPicture:
        """One of the visitor's own pictures.

        Raises:
            Refusal: there is none of that number.
        """
        if id_ not in self.pictures:
            raise Refusal(404, "no_picture", "there is no such picture; it may have been deleted meanwhile")
        return self.pictures[id_]


class Store:
    """The folders of all visitors, below one that only this user can read.

    Args:
        keep_seconds: after which a visitor's files are deleted, counted from the last request.
        max_bytes: of all files.
    """

    def __init__(self, keep_seconds: float, max_bytes: float) -> None:
        self.keep_seconds, self.max_bytes = keep_seconds, max_bytes
        _delete_orphans()
        self.root = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))  # mode 0700
        self.sessions: dict[str, Session] = {}

    def session(self, token: str | None) -> Session | None:
        """The visitor with a cookie; None if it is not one of ours."""
        found = self.sessions.get(token or "")
        if found is not None:
            found.used = time.monotonic()
        return found

    def open_session(self) -> Session:
        """A new visitor."""
        token = secrets.token_urlsafe(32)
        session = Session(token, self.new_folder(), time.monotonic())
        self.sessions[token] = session
        return session

    def new_folder(self) -> Path:
        """An empty folder; its name says nothing."""
        folder = self.root / secrets.token_hex(16)
        folder.mkdir(mode=0o700)
        return folder

    def add(self, session: Session, name: str) -> StoredPicture:
        """Room for one more picture of a visitor.

        Raises:
            Refusal: he has too many, or the disk space is used up.
        """
        if len(session.pictures) >= MAX_PICTURES:
            raise Refusal(
                409, "too_many", f"you have {MAX_PICTURES} photographs here; delete some of them first"
            )
        self.check_room()
        id_ = secrets.token_urlsafe(12)
        folder = session.folder / secrets.token_hex(16)
        folder.mkdir(mode=0o700)
        session.pictures[id_] = StoredPicture(id_, clean_name(name), folder)
        return session.pictures[id_]

    def check_room(self) -> None:
        """Refuse more files than the disk space is for.

        Raises:
            Refusal: it is used up.
        """
        if self.used_bytes() > self.max_bytes:
            raise Refusal(507, "full", "the server's space for photographs is used up; try again later", 300)

    def used_bytes(self) -> int:
        """Bytes of all files; those that vanish meanwhile count nothing."""
        total = 0
        for folder, _, names in os.walk(self.root):
            for name in names:
                try:
                    total += os.stat(os.path.join(folder, name)).st_size
                except OSError:
                    continue
        return total

    def remove(self, session: Session, id_: str) -> None:
        """Delete a picture and all that was made of it."""
        picture = session.pictures.pop(id_)
        shutil.rmtree(picture.folder, ignore_errors=True)

    def close_session(self, session: Session) -> None:
        """Delete all files of a visitor."""
        self.sessions.pop(session.token, None)
        shutil.rmtree(session.folder, ignore_errors=True)

    def delete_old(self) -> list[Session]:
        """Delete the files of visitors who have not been here for `keep_seconds`; those with work stay."""
        limit = time.monotonic() - self.keep_seconds
        old = [
            session for session in self.sessions.values() if session.used < limit and not _in_work(session)
        ]
        for session in old:
            self.close_session(session)
        return old

    def close(self) -> None:
        """Delete everything."""
        self.sessions.clear()
        shutil.rmtree(self.root, ignore_errors=True)


def clean_name(name: str) -> str:
    """A file name for people: the last part of a path, without control characters, at most 120 long."""
    name = PureWindowsPath(PurePosixPath(_CONTROL.sub("", name)).name).name.strip().lstrip(".")
    return name[-120:] or "photo"


def result_name(name: str, file: str) -> str:
    """The name of a download: party_lumiface.jpg for party.jpg."""
    return f"{PurePosixPath(name).stem or 'photo'}_lumiface{PurePosixPath(file).suffix}"


def _in_work(session: Session) -> bool:
    works = (picture.work for picture in session.pictures.values())
    return any(work is not None and not work.finished.is_set() for work in works)


def _delete_orphans() -> None:
    """Folders of servers of this user that were ended without a chance to delete them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        number = folder.name.removeprefix(PREFIX).partition("-")[0]
        try:
            if number.isdigit() and folder.stat().st_uid == os.getuid() and not folder.is_symlink():
                os.kill(int(number), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue

"""Whole files in, whole files out: every failure is one line, and no reader ever sees half a file."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from lumiface.core.errors import InputError, OutputError


def read_bytes(path: str | Path) -> bytes:
    """The content of one file.

    Raises:
        InputError: it is missing, a folder, empty, or may not be read.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the name") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder; name a file in it") from None
    except OSError as fault:
        raise InputError(
            f"{path} cannot be read ({fault.strerror or fault}); check its permissions"
        ) from fault
    if not data:
        raise InputError(f"{path} is empty (0 bytes); copy it again from where it came")
    return data


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write one file atomically: beside its final place first, then renamed. Makes the folder if need be.

    Raises:
        OutputError: it cannot be written there; nothing is left behind.
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name a file in it")
    # A plain open() respects the user's umask, which tempfile's private 0600 files would not.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(data)
        os.replace(draft, path)
    except OSError as fault:
        raise OutputError(
            f"{path} cannot be written ({fault.strerror or fault}); check the folder and the free space"
        ) from fault
    finally:
        if draft.exists():
            draft.unlink()

"""Reading and atomic writing of complete files; every failure is an error of one line."""

from __future__ import annotations

import glob
import os
import secrets
from pathlib import Path

from lumiface.core.errors import InputError, OutputError


def matching_paths(pattern: str) -> list[Path]:
    """The path itself if it exists, else what it matches as a glob, sorted; empty if nothing does.

    A name that exists is not treated as a glob: it may contain brackets.
    """
    path = Path(pattern)
    return [path] if path.exists() else [Path(name) for name in sorted(glob.glob(pattern, recursive=True))]


def missing_line(pattern: str) -> str:
    """What is said of an input that `matching_paths` does not find."""
    return f"{pattern}: there is no such file or folder; check the name"


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
        raise InputError(f"{path} is empty (0 bytes); copy it again from its source")
    return data


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write one file atomically: to a temporary file in the same folder, then renamed. Creates the folder.

    Raises:
        OutputError: it cannot be written; no temporary file is left behind.
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name a file in it")
    # A plain open() respects the user's umask; tempfile creates files of mode 0600.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as fault:
        raise OutputError(
            f"{path} cannot be written ({fault.strerror or fault}); check the folder and the free space"
        ) from fault
    finally:
        if temporary.exists():
            temporary.unlink()

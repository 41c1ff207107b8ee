"""Silence for decoders in C, which write to standard error themselves, without the file's name."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress

_STDERR = 2
_lock = threading.Lock()
_depth = 0
_kept = -1

# Pillow logs some of its refusals; without any handler Python would print them. A program's own handlers get
# them all the same.
logging.getLogger("PIL").addHandler(logging.NullHandler())


@contextmanager
def quiet_stderr() -> Generator[None]:
    """Send what is written to the file descriptor of standard error nowhere. Threads may overlap in it."""
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _depth, _kept
    with _lock:
        _depth += 1
        if _depth > 1:
            return
        with suppress(OSError, ValueError, AttributeError):  # closed, or none: a window without a console
            sys.stderr.flush()
        try:
            _kept = os.dup(_STDERR)
        except OSError:
            _kept = -1
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, _STDERR)
        os.close(nowhere)


def _leave() -> None:
    global _depth, _kept
    with _lock:
        _depth -= 1
        if _depth == 0 and _kept >= 0:
            os.dup2(_kept, _STDERR)
            os.close(_kept)
            _kept = -1

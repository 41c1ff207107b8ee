"""What is kept between runs in the user's cache: converted models, and which engine was the fastest."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
from platformdirs import user_cache_path
from torch import nn

from lumiface.core.device import machine_name
from lumiface.core.errors import LumifaceError
from lumiface.core.files import write_bytes
from lumiface.registry import find_weights
from lumiface.runtimes.convert import to_onnx
from lumiface.runtimes.names import ENGINES, Engine, Precision, engine_version

FORMAT = 2
"""To be raised when converted models or records change in what they are."""

_CODE = ("methods", "blocks")
"""Rooms whose code makes networks of weights."""


def digest_of(model: str) -> str:
    """Identifies the weights of a model, the code of its network, and the version of torch."""
    weights = find_weights(model).read_bytes()
    made = f"{torch.__version__} {FORMAT} {_digest_of_code()}"
    return hashlib.sha256(weights + made.encode()).hexdigest()[:20]


@cache
def _digest_of_code() -> str:
    package = Path(__file__).parents[1]
    found = hashlib.sha256()
    for path in sorted(path for room in _CODE for path in (package / room).rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()


def converted(network: nn.Module, digest: str, *, fresh: bool = False) -> bytes:
    """The network as an ONNX model: from the cache, or converted and stored there.

    Args:
        network: that of the digest.
        digest: see `digest_of`.
        fresh: converted anew even if there is one.

    Raises:
        SettingError: it cannot be converted.
    """
    path = _folder() / f"{digest}.onnx"
    if path.is_file() and not fresh:
        return path.read_bytes()
    model = to_onnx(network)
    _store(path, model)
    return model


def recall(digest: str, precision: Precision) -> Engine | None:
    """The engine that was the fastest for a model on this machine; None where none was tried."""
    try:
        engine = json.loads(_record(digest, precision).read_text(encoding="utf-8"))["engine"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return engine if engine in ENGINES else None


def remember(digest: str, precision: Precision, engine: Engine, milliseconds: dict[Engine, float]) -> Engine:
    """Record a trial; returns the engine on record, which is that of another process if it was earlier."""
    if (earlier := recall(digest, precision)) is not None:
        return earlier
    facts: dict[str, Any] = {
        "engine": engine,
        "milliseconds": {name: round(value, 3) for name, value in milliseconds.items()},
        "machine": machine_name("cpu"),
    }
    _store(_record(digest, precision), (json.dumps(facts, indent=1) + "\n").encode())
    return engine


def was_checked(model: bytes, digest: str, engine: Engine, precision: Precision) -> bool:
    """Whether the outputs of a converted model by an engine were found to be torch's, on this machine."""
    return _check_mark(model, digest, engine, precision).is_file()


def mark_checked(model: bytes, digest: str, engine: Engine, precision: Precision) -> None:
    """Record that they are."""
    _store(_check_mark(model, digest, engine, precision), b"")


def _check_mark(model: bytes, digest: str, engine: Engine, precision: Precision) -> Path:
    content = hashlib.sha256(model).hexdigest()[:12]  # whatever became of the file since
    record = _record(digest, precision)
    return record.with_name(f"{record.stem}-{engine}-{content}.checked")


def _record(digest: str, precision: Precision) -> Path:
    """One file for each model, machine, number of threads and set of installed engines."""
    versions = " ".join(engine_version(engine) for engine in ENGINES)
    where = hashlib.sha256(f"{machine_name('cpu')} {versions}".encode()).hexdigest()[:8]
    return _folder() / f"{digest}-{precision}-{where}.json"


def _folder() -> Path:
    return user_cache_path("lumiface") / "runtimes"


def _store(path: Path, data: bytes) -> None:
    try:
        write_bytes(path, data)
    except LumifaceError:
        return  # a cache that cannot be written costs time, not the result

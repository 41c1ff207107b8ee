"""Files of weights of other projects: which files these are, and what the rooms above must know of them."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from lumiface.degradations.tasks import Task
from lumiface.methods.foreign import FACE_SIDE, ForeignConfig, Kind, load_foreign
from lumiface.registry.metadata import KEY
from lumiface.registry.spec import FACES_OF_256, WorkingSizes

PICKLES = (".pth", ".pt", ".ckpt", ".pkl")
"""Ends of names of files in torch's own format, which this project does not write as models."""

ELSEWHERE = "trained elsewhere: lumiface has not measured how far its faces can be trusted"
"""What is said of weights of another project."""

_TASKS: dict[Kind, Task] = {"enlarge": "joint", "light": "enhance", "face": "blind", "repair": "blind"}


def is_foreign(path: Path) -> bool:
    """Whether a file is one of weights, and not one of this project; the weights are not read."""
    if not path.is_file():
        return False
    if path.suffix.lower() != ".safetensors":
        return path.suffix.lower() in PICKLES
    try:
        with safe_open(path, framework="pt") as file:
            return KEY not in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False


def foreign_config(path: Path) -> ForeignConfig | None:
    """What is known of weights of another project; None: the file is none of these.

    Raises:
        InputError, SettingError: as of `load_foreign`.
    """
    if not is_foreign(path):
        return None
    facts = path.stat()
    return _config(path, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=16)
def _config(path: Path, *changed: int) -> ForeignConfig:
    return load_foreign(path).config


def foreign_task(config: ForeignConfig) -> Task:
    """The task that a network is used for, since nothing says what it was trained for."""
    return _TASKS[config.kind]


def foreign_sizes(config: ForeignConfig) -> WorkingSizes:
    """At which sizes of a face it is used: at 512 pixels, 256, or, where it enlarges, the face's own."""
    if config.kind == "face":
        return WorkingSizes(FACE_SIDE, FACE_SIDE, FACE_SIDE)
    if config.kind == "enlarge":
        return WorkingSizes(smallest=max(32, config.min_size), largest=max(128, config.min_size), trusted=256)
    return FACES_OF_256


def foreign_origin(config: ForeignConfig) -> dict[str, Any]:
    """What a record says of such weights."""
    return {
        "file": config.name,
        "architecture": config.architecture,
        "scale": config.scale,
        "sha256": config.sha256,
        "origin": ELSEWHERE,
    }


def foreign_note(config: ForeignConfig) -> str:
    """The same in one line."""
    return f"{config.name}: {config.architecture} x{config.scale}, sha256 {config.sha256[:12]}, {ELSEWHERE}"


def describe_foreign(path: Path) -> dict[str, Any]:
    """What is known of a file of such weights, for the user.

    Raises:
        InputError, SettingError: as of `load_foreign`.
    """
    network = load_foreign(path)
    used = {"task": foreign_task(network.config), "sizes": asdict(foreign_sizes(network.config))}
    count = sum(parameter.numel() for parameter in network.parameters())
    return foreign_origin(network.config) | {"file": str(path), "parameters": count} | used

"""Weights in half precision: what travels in both directions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save

from lumiface.core.errors import InputError
from lumiface.core.files import write_bytes
from lumiface.registry import find_spec
from lumiface.registry.metadata import KEY, read_metadata_file


def to_half(source: Path, target: Path, facts: dict[str, Any] | None = None) -> None:
    """Copy tensors in half precision, with the metadata of the file.

    Args:
        source, target: safetensors files.
        facts: added to the provenance.

    Raises:
        SafetensorError: `source` is damaged.
    """
    with safe_open(source, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        metadata: dict[str, str] = dict(file.metadata() or {})
    if KEY in metadata and facts:
        content = json.loads(metadata[KEY])
        content["provenance"] |= facts
        metadata[KEY] = json.dumps(content)
    half = {
        key: (value.half() if value.dtype in (torch.float32, torch.bfloat16) else value).contiguous()
        for key, value in tensors.items()
    }
    write_bytes(target, save(half, metadata))


def extract_component(source: Path, part: str, name: str, target: Path) -> None:
    """Write one network inside of another one as a checkpoint of its own.

    Args:
        source: checkpoint of the outer network.
        part: beginning of the layers' names, and the key of its settings in the outer configuration.
        name: of a preset of the component that it is.

    Raises:
        InputError: the outer network has no such part.
    """
    facts = read_metadata_file(source)
    with safe_open(source, framework="pt") as file:
        keys = [key for key in file.keys() if key.startswith(f"{part}.")]  # noqa: SIM118 (not a dict)
        tensors = {key.removeprefix(f"{part}."): file.get_tensor(key) for key in keys}
    if not tensors or part not in facts["config"]:
        raise InputError(f"{source} has no {part}; check `extract` in the queue")
    inner = facts | {
        "method": find_spec(name)[0].name,
        "config": facts["config"][part],
        "score": None,
        "sizes": None,
    }
    write_bytes(target, save(tensors, {KEY: json.dumps(inner)}))

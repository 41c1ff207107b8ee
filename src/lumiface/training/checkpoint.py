"""Weights and training states on disk: safetensors only, written atomically, self-describing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from lumiface.blocks.old_keys import current_keys
from lumiface.core.errors import InputError
from lumiface.core.files import write_bytes
from lumiface.registry import WorkingSizes

TrainedOn = Literal["camera", "benchmark"]

PARTS = ("networks", "optimizers", "ema", "task")
"""Of a training state, in the order in which they are written."""


def save_weights(
    path: Path,
    weights: dict[str, Tensor],
    *,
    method: str,
    config: BaseModel,
    provenance: dict[str, Any],
    score: dict[str, Any] | None = None,
    trained_on: TrainedOn = "benchmark",
    sizes: WorkingSizes | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write one network as one file, which is all that `load_model` needs.

    Args:
        weights: the network's `state_dict()`.
        method: its name in the registry; `config` its configuration.
        provenance: where it comes from: data, budget, machine, versions.
        score: {"name", "value"} of the best validation, higher is better; None before the first validation.
        trained_on: simulated camera images, or a benchmark's degradation.
        sizes: sizes of a face at which it may be trusted; None: those of its method.
        dtype: float16 for weights that ship.
    """
    facts = {
        "method": method,
        "config": config.model_dump(mode="json"),
        "score": score,
        "trained_on": trained_on,
        "sizes": None if sizes is None else asdict(sizes),
        "provenance": provenance,
    }
    tensors = {key: value.detach().to("cpu", dtype).contiguous() for key, value in weights.items()}
    _write(path, tensors, {"lumiface": json.dumps(facts)})


def save_state(path: Path, parts: dict[str, Any], facts: dict[str, Any]) -> None:
    """Write everything a run needs to resume as if it had not stopped.

    Args:
        parts: name -> `state_dict()` of networks, optimizers, task; nested dicts and lists of tensors and
            plain values.
        facts: plain values (step, best score, configuration).
    """
    tensors: dict[str, Tensor] = {}
    plain = {name: _take_tensors(value, name, tensors) for name, value in parts.items()}
    _write(path, tensors, {"state": json.dumps({"parts": plain, "facts": facts})})


def load_state(
    path: Path, device: torch.device | str = "cpu", networks: Mapping[str, nn.Module] | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `save_state` wrote: (parts, facts).

    Args:
        networks: those of the run, by name: a state written before one of their layers was renamed is
            brought to the names of today.

    Raises:
        InputError: the file is damaged or is not a training state.
    """
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            tree = json.loads((file.metadata() or {})["state"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, KeyError, OSError) as error:
        raise InputError(f"{path}: not a training state ({error}); delete it to restart the run") from error
    parts = {name: _put_tensors(value, tensors) for name, value in tree["parts"].items()}
    return _current_names(parts, networks or {}), tree["facts"]


def _current_names(parts: dict[str, Any], networks: Mapping[str, nn.Module]) -> dict[str, Any]:
    """The parts of a state, its networks and their layers under the names of today.

    Every version has written the parts in one order, and the networks in the order of the task.
    """
    parts = dict(zip(PARTS, parts.values(), strict=False)) if len(parts) == len(PARTS) else parts
    for part in PARTS[:3]:
        if networks and part in parts:
            parts[part] = dict(zip(networks, parts[part].values(), strict=False))
    for part in ("networks", "ema"):
        for name, network in networks.items():
            if name in parts.get(part, {}):
                parts[part][name] = current_keys(network, parts[part][name])
    return parts


def same_network(stored: Any, config: BaseModel) -> bool:
    """Whether a state is of a network with this configuration; settings that it lacks have their defaults."""
    try:
        return type(config).model_validate(stored) == config
    except ValidationError:
        return False


def _take_tensors(value: Any, key_path: str, tensors: dict[str, Tensor]) -> Any:
    """Move tensors out of a nested value into `tensors`, leaving {"tensor": key} for each."""
    if isinstance(value, Tensor):
        tensors[key_path] = value.detach().cpu().contiguous().clone()
        return {"tensor": key_path}
    if isinstance(value, dict):
        # Pairs, because JSON would turn the optimizer's whole-number keys into text.
        return {
            "items": [[key, _take_tensors(item, f"{key_path}/{key}", tensors)] for key, item in value.items()]
        }
    if isinstance(value, list | tuple):
        return {"list": [_take_tensors(item, f"{key_path}/{i}", tensors) for i, item in enumerate(value)]}
    return {"value": value}


def _put_tensors(tree: dict[str, Any], tensors: dict[str, Tensor]) -> Any:
    if "tensor" in tree:
        return tensors[tree["tensor"]]
    if "items" in tree:
        return {key: _put_tensors(item, tensors) for key, item in tree["items"]}
    if "list" in tree:
        return [_put_tensors(item, tensors) for item in tree["list"]]
    return tree["value"]


def _write(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    write_bytes(path, save(tensors, metadata))

"""Weights and training states on disk: safetensors only, written atomically, self-describing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from lumiface.core.errors import InputError
from lumiface.core.files import write_bytes


def save_weights(
    path: Path,
    weights: dict[str, Tensor],
    *,
    method: str,
    config: BaseModel,
    provenance: dict[str, Any],
    dtype: torch.dtype = torch.float32,
) -> None:
    """One network as one file that `load_model` needs nothing else for.

    Args:
        weights: the network's `state_dict()`.
        method: its name in the registry; `config` its configuration.
        provenance: where it comes from: data, budget, machine, versions, scores.
        dtype: float16 for weights that ship.
    """
    facts = {"method": method, "config": config.model_dump(), "provenance": provenance}
    tensors = {key: value.detach().to("cpu", dtype).contiguous() for key, value in weights.items()}
    _write(path, tensors, {"lumiface": json.dumps(facts)})


def save_state(path: Path, parts: dict[str, Any], facts: dict[str, Any]) -> None:
    """Everything a run needs to go on as if it had not stopped.

    Args:
        parts: name -> `state_dict()` of network, optimizer, losses; nested dicts and lists of tensors and
            plain values.
        facts: plain values (step, best score, configuration).
    """
    tensors: dict[str, Tensor] = {}
    plain = {name: _take_tensors(value, name, tensors) for name, value in parts.items()}
    _write(path, tensors, {"state": json.dumps({"parts": plain, "facts": facts})})


def load_state(path: Path, device: torch.device | str = "cpu") -> tuple[dict[str, Any], dict[str, Any]]:
    """What `save_state` wrote: (parts, facts).

    Raises:
        InputError: the file is damaged or is not a training state.
    """
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            tree = json.loads((file.metadata() or {})["state"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, KeyError, OSError) as error:
        raise InputError(
            f"{path}: not a training state ({error}); delete it to start the run anew"
        ) from error
    return {name: _put_tensors(value, tensors) for name, value in tree["parts"].items()}, tree["facts"]


def same_network(stored: Any, settings: BaseModel) -> bool:
    """Whether a state is of a network of these settings; what the state does not say yet has its default."""
    try:
        return type(settings).model_validate(stored) == settings
    except ValidationError:
        return False


def _take_tensors(value: Any, place: str, tensors: dict[str, Tensor]) -> Any:
    """Move tensors out of a nested value into `tensors`, leaving {"tensor": key} in their place."""
    if isinstance(value, Tensor):
        tensors[place] = value.detach().cpu().contiguous().clone()
        return {"tensor": place}
    if isinstance(value, dict):
        # Pairs, because JSON would turn the optimizer's whole-number keys into text.
        return {
            "items": [[key, _take_tensors(item, f"{place}/{key}", tensors)] for key, item in value.items()]
        }
    if isinstance(value, list | tuple):
        return {"list": [_take_tensors(item, f"{place}/{i}", tensors) for i, item in enumerate(value)]}
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

"""Discriminators in half precision: with the generator's weights they let adversarial training go on.

A discriminator is not shipped, but a generator that meets an untrained one loses what it has learnt. So a run
writes `discriminator.safetensors` with its states, and another run starts from it (`discriminator_from`). Its
tensors have the names that they have in a training state, so a state will do as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from lumiface.blocks.old_keys import current_keys
from lumiface.core.errors import InputError
from lumiface.core.files import write_bytes

DISCRIMINATOR_FILE = "discriminator.safetensors"
"""Name of the file in a run's folder."""

_OLD = "cri" + "tic"
_PREFIXES = tuple(f"networks/{name}/" for name in ("discriminator", "discriminators", _OLD, _OLD + "s"))
_TASK = "task/"


def save_discriminator(path: Path, network: nn.Module, task_state: Mapping[str, Any]) -> None:
    """Write a discriminator in half precision, and the tensors of its task's state.

    Args:
        network: the discriminator, or several as one module.
        task_state: of which tensors are written (probability of augmentation, mean path length).
    """
    tensors = {
        _PREFIXES[0] + key: value.detach().to("cpu", torch.float16).contiguous()
        for key, value in network.state_dict().items()
    }
    for key, value in task_state.items():
        if isinstance(value, Tensor):
            tensors[_TASK + key] = value.detach().cpu().contiguous()
    write_bytes(path, save(tensors))


def load_discriminator(network: nn.Module, path: str | Path) -> dict[str, Tensor]:
    """Load a discriminator from a file of `save_discriminator`, or from a training state.

    Returns:
        The tensors of the task's state, by name; empty if the file has none.

    Raises:
        InputError: there is no such file, it holds no discriminator, or one of another size.
    """
    weights: dict[str, Tensor] = {}
    task: dict[str, Tensor] = {}
    try:
        with safe_open(path, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118 (not a dict)
                if prefix := next(filter(key.startswith, _PREFIXES), None):
                    weights[key.removeprefix(prefix)] = file.get_tensor(key).float()
                elif key.startswith(_TASK):
                    task[key.removeprefix(_TASK)] = file.get_tensor(key)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: no discriminator can be read from it ({error})") from error
    if not weights:
        raise InputError(
            f"{path} holds no discriminator; name a run's {DISCRIMINATOR_FILE} or state.safetensors"
        )
    try:
        network.load_state_dict(current_keys(network, weights))
    except RuntimeError as error:
        raise InputError(
            f"{path}: its discriminator has another size than the run's; set the same channels and resolution"
        ) from error
    return task

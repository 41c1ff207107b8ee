"""A run before it is started: resolved settings, parameters, FLOPs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lumiface.core.settings import validate
from lumiface.registry import build, find_spec
from lumiface.training.config import ComponentRun, RunConfig
from lumiface.training.tasks.table import entry_of


@dataclass(frozen=True, slots=True)
class Description:
    """`resolved` settings as plain values, `parameters` of the network, and the `flops` of one `forward`."""

    resolved: dict[str, Any]
    parameters: int
    flops: int
    forward: str


def describe(config: RunConfig) -> Description:
    """Build the network of a run and count its cost; no data is read.

    Raises:
        SettingError: a setting of the network is unknown or out of range.
        TypeError: no task has this class of configuration.
    """
    settings: Any = config
    name = settings.component if isinstance(config, ComponentRun) else settings.method
    network: Any = build(name, settings.network)
    inputs, forward = entry_of(config).example(config, network.config)
    resolved = config.model_dump(mode="json") | {"network": network.config.model_dump(mode="json")}
    if (recipe := find_spec(name)[0].recipe_config) is not None:
        resolved["recipe"] = validate(recipe, settings.recipe, f"{name}: recipe").model_dump(mode="json")
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Description(resolved, parameters, _flops(network, inputs), forward)


def _flops(network: nn.Module, inputs: tuple[Any, ...]) -> int:
    # Without gradients altogether: the counter fails on a parameter that is the input of a layer.
    network.eval().requires_grad_(requires_grad=False)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(*inputs)
    return counter.get_total_flops()

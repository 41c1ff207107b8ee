"""What a run would train, before it is started: resolved settings, parameters, FLOPs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lumiface.engine.config import RunConfig, TrainConfig
from lumiface.engine.part_config import (
    AutoencoderRun,
    EnhancerRun,
    GeneratorRun,
    LifterRun,
    PriorRun,
    RestorerRun,
)
from lumiface.geometry.camera import NUMBERS, orbit_camera
from lumiface.registry import build, build_part


@dataclass(frozen=True, slots=True)
class Description:
    """`resolved` settings as plain values, `parameters` of the network, and the `flops` `of` one pass."""

    resolved: dict[str, Any]
    parameters: int
    flops: int
    of: str


def describe(config: RunConfig) -> Description:
    """Build the network of a run, and count; no data is read.

    Raises:
        SettingError: a setting of the network is unknown or out of range.
        TypeError: there is no such kind of run.
    """
    inputs: tuple[Any, ...]
    match config:
        case TrainConfig():
            network = build(config.method, config.network)
            settings: Any = network.config
            side = config.hr_size // settings.scale
            inputs, of = (torch.zeros(1, 3, side, side),), f"one {side}x{side} picture"
        case LifterRun():
            network = build_part(config.part, config.network)
            inputs, of = (torch.zeros(1, 3, 256, 256), orbit_camera(torch.zeros(1, 3))), "lifting one picture"
        case PriorRun():
            network = build_part(config.part, config.network)
            numbers: Any = network.config
            drawn = numbers.denoiser
            x = torch.zeros(1, drawn.components + NUMBERS, drawn.side, drawn.side)
            inputs, of = (x, torch.zeros(1, 3, 256, 256), torch.ones(1, dtype=torch.long)), "one denoising"
        case EnhancerRun():
            network = build_part(config.part, config.network)
            photo, lead = torch.zeros(1, 3, 256, 256), torch.zeros(1, 4, config.lead_side, config.lead_side)
            inputs, of = (photo, lead[:, :3], lead[:, 3:]), "enhancing one 256x256 picture, its prior drawn"
        case RestorerRun():
            network = build_part(config.part, config.network)
            settings = network.config
            side = settings.generator.resolution
            inputs, of = (torch.zeros(1, 3, side, side),), f"one {side}x{side} face"
        case AutoencoderRun() | GeneratorRun():
            network = build_part(config.part, config.generator)
            drawn: Any = network
            noise = drawn.draw_noise(1, torch.Generator())
            inputs, of = (torch.zeros(1, drawn.config.latent), noise), "drawing one face"
        case _:
            raise TypeError(f"no run is of the kind {type(config).__name__}")
    return Description(_resolved(config, network), _parameters(network), _flops(network, inputs), of)


def _resolved(config: RunConfig, network: nn.Module) -> dict[str, Any]:
    settings: Any = network.config
    return config.model_dump(mode="json") | {"network": settings.model_dump(mode="json")}


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _flops(network: nn.Module, inputs: tuple[Any, ...]) -> int:
    # Without gradients altogether: the counter stumbles over a parameter that goes into a layer as its input.
    network.eval().requires_grad_(requires_grad=False)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(*inputs)
    return counter.get_total_flops()

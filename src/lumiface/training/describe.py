"""What a run would train, before it is started: resolved settings, parameters, FLOPs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lumiface.geometry.camera import NUMBERS, orbit_camera
from lumiface.registry import build, build_component
from lumiface.training.config import RunConfig, TrainConfig
from lumiface.training.part_config import (
    AutoencoderRun,
    BlindRestorerRun,
    ComponentRun,
    DiffusionPriorRun,
    EnhancerRun,
    LifterRun,
    StyleGAN2Run,
)


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
    network: Any
    match config:
        case TrainConfig():
            network = build(config.method, config.network)
        case ComponentRun():
            network = build_component(config.component, config.network)
        case _:
            raise TypeError(f"no run is of the kind {type(config).__name__}")
    inputs, of = _one_pass(config, network.config)
    return Description(_resolved(config, network), _parameters(network), _flops(network, inputs), of)


def _one_pass(config: RunConfig, settings: Any) -> tuple[tuple[Any, ...], str]:
    """What goes into a run's network with these settings, and what it is, in a few words."""
    match config:
        case TrainConfig():
            side = config.hr_size // settings.scale
            return (torch.zeros(1, 3, side, side),), f"one {side}x{side} picture"
        case LifterRun():
            return (torch.zeros(1, 3, 256, 256), orbit_camera(torch.zeros(1, 3))), "lifting one picture"
        case DiffusionPriorRun():
            drawn = settings.denoiser
            x = torch.zeros(1, drawn.components + NUMBERS, drawn.side, drawn.side)
            return (x, torch.zeros(1, 3, 256, 256), torch.ones(1, dtype=torch.long)), "one denoising"
        case EnhancerRun():
            photo, lead = torch.zeros(1, 3, 256, 256), torch.zeros(1, 4, config.prior_size, config.prior_size)
            return (photo, lead[:, :3], lead[:, 3:]), "enhancing one 256x256 picture, its prior drawn"
        case BlindRestorerRun():
            side = settings.generator.resolution
            return (torch.zeros(1, 3, side, side),), f"one {side}x{side} face"
        case AutoencoderRun() | StyleGAN2Run():
            silence = [torch.zeros(1, 1, 1, 1)] * (settings.codes - 1)
            return (torch.zeros(1, settings.latent), silence), "drawing one face"
        case _:
            raise TypeError(f"no run is of the kind {type(config).__name__}")


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

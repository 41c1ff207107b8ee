"""Conversion of StyleGAN2 generators that were trained elsewhere, by the names of their layers.

Two naming schemes are supported: that of the widespread PyTorch port (`g_ema` with `conv1`, `convs.0`,
`to_rgbs.0`) and that of NVIDIA's own PyTorch release (`synthesis.b8.conv0`). Both store the same parameters.
NVIDIA's pickles contain code and are not opened; their `G_ema.state_dict()`, saved by itself, is read.
"""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from lumiface.core.errors import InputError
from lumiface.methods.fusion_bfr.generator import Generator, GeneratorConfig


def load_official(path: Path) -> Generator:
    """A trained generator from a file, in evaluation mode; its configuration is inferred from its weights.

    Args:
        path: .pt, .pth (a state dict; nothing in it is executed) or .safetensors.

    Raises:
        InputError: it cannot be read, or holds no StyleGAN2 generator of a known naming scheme.
    """
    official = _read(path)
    if "synthesis.b4.const" in official:
        official_name, constant = _nvidia, official["synthesis.b4.const"]
        sizes = [
            size for size in (2**level for level in range(2, 11)) if f"{_block(size)}.torgb.bias" in official
        ]
        widths = [len(official[f"{_block(size)}.conv1.bias"]) for size in sizes]
        layers = sum(f"mapping.fc{number}.bias" in official for number in range(64))
    elif "input.input" in official:
        official_name, constant = _port, official["input.input"]
        count = 1 + sum(f"to_rgbs.{number}.bias" in official for number in range(16))
        sizes = [2 ** (level + 2) for level in range(count)]
        widths = [len(official["conv1.activate.bias"])]
        widths += [len(official[f"convs.{2 * level + 1}.activate.bias"]) for level in range(count - 1)]
        layers = sum(f"style.{number}.bias" in official for number in range(64))
    else:
        raise InputError(f"{path} holds no StyleGAN2 generator: neither input.input nor synthesis.b4.const")
    latent = official["mapping.fc0.bias" if "mapping.fc0.bias" in official else "style.1.bias"].shape[0]
    config = GeneratorConfig(
        resolution=sizes[-1],
        latent=latent,
        mapping=layers,
        channel_base=widths[-1] * sizes[-1],
        max_channels=constant.shape[-3],
    )
    if [config.channels_at(size) for size in sizes] != widths:
        raise InputError(f"{path}: its channels {widths} are not those of a StyleGAN2")
    generator = Generator(config)
    converted: dict[str, Tensor] = {}
    for name, value in generator.state_dict().items():
        tensor = official.get(official_name(name))
        if tensor is None or tensor.numel() != value.numel():
            raise InputError(
                f"{path}: {official_name(name)} is missing or has another size; get the file again"
            )
        converted[name] = tensor.reshape(value.shape).float()
    generator.load_state_dict(converted)
    return generator.eval()


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        stored: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, UnpicklingError, RuntimeError, SafetensorError, AttributeError) as error:
        raise InputError(
            f"{path} cannot be read without executing its code, or is damaged; "
            "save the state dict of its G_ema by itself"
        ) from error
    if isinstance(stored, dict) and isinstance(stored.get("g_ema"), dict):
        w_avg = {"latent_avg": stored["latent_avg"]} if "latent_avg" in stored else {}
        stored = stored["g_ema"] | w_avg
    if not isinstance(stored, dict) or not all(isinstance(value, Tensor) for value in stored.values()):
        raise InputError(f"{path} holds no state dict; save that of its G_ema by itself")
    return stored


def _port(name: str) -> str:
    """Name in our state dict -> name in the widespread port."""
    if name == "w_avg":
        return "latent_avg"
    if name == "constant":
        return "input.input"
    group, number, rest = _split(name)
    if group == "mapping":
        return f"style.{number + 1}.{rest}"
    tail = {"noise": "noise.weight", "bias": "activate.bias"}.get(
        rest, rest.replace("conv.affine", "conv.modulation")
    )
    if group == "to_rgbs":
        layer = "to_rgb1" if number == 0 else f"to_rgbs.{number - 1}"
        return f"{layer}.{'bias' if rest == 'bias' else tail}"
    if group == "second" and number == 0:
        return f"conv1.{tail}"
    return f"convs.{2 * number if group == 'first' else 2 * number - 1}.{tail}"


def _nvidia(name: str) -> str:
    """Name in our state dict -> name in NVIDIA's release."""
    if name == "w_avg":
        return "mapping.w_avg"
    if name == "constant":
        return "synthesis.b4.const"
    group, number, rest = _split(name)
    if group == "mapping":
        return f"mapping.fc{number}.{rest}"
    tail = rest.removeprefix("conv.").replace("noise", "noise_strength")
    if group == "first":
        return f"{_block(2 ** (number + 3))}.conv0.{tail}"
    return f"{_block(2 ** (number + 2))}.{'torgb' if group == 'to_rgbs' else 'conv1'}.{tail}"


def _split(name: str) -> tuple[str, int, str]:
    """ "second.3.conv.weight" -> ("second", 3, "conv.weight"); "mapping.layers.0.bias" likewise."""
    group, number, rest = name.replace("mapping.layers", "mapping").split(".", 2)
    return group, int(number), rest


def _block(size: int) -> str:
    return f"synthesis.b{size}"

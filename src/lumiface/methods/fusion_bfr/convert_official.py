"""StyleGAN2 generators that others have trained, read by the names that they give their layers.

Two namings are known: that of the widespread PyTorch port (`g_ema` with `conv1`, `convs.0`, `to_rgbs.0`) and
that of NVIDIA's own PyTorch release (`synthesis.b8.conv0`). Both store the same numbers. NVIDIA's pickles
hold code and are not opened; their `G_ema.state_dict()`, saved by itself, is.
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
    """A trained generator from a file, in evaluation mode; its size is read off its weights.

    Args:
        path: .pt, .pth (a state dict; nothing in it is executed) or .safetensors.

    Raises:
        InputError: it cannot be read, or holds no StyleGAN2 generator that we know.
    """
    theirs = _read(path)
    if "synthesis.b4.const" in theirs:
        names, constant = _nvidia, theirs["synthesis.b4.const"]
        sides = [
            side for side in (2**level for level in range(2, 11)) if f"{_block(side)}.torgb.bias" in theirs
        ]
        widths = [len(theirs[f"{_block(side)}.conv1.bias"]) for side in sides]
        layers = sum(f"mapping.fc{number}.bias" in theirs for number in range(64))
    elif "input.input" in theirs:
        names, constant = _port, theirs["input.input"]
        count = 1 + sum(f"to_rgbs.{number}.bias" in theirs for number in range(16))
        sides = [2 ** (level + 2) for level in range(count)]
        widths = [len(theirs["conv1.activate.bias"])]
        widths += [len(theirs[f"convs.{2 * level + 1}.activate.bias"]) for level in range(count - 1)]
        layers = sum(f"style.{number}.bias" in theirs for number in range(64))
    else:
        raise InputError(f"{path} holds no StyleGAN2 generator: neither input.input nor synthesis.b4.const")
    latent = theirs["mapping.fc0.bias" if "mapping.fc0.bias" in theirs else "style.1.bias"].shape[0]
    config = GeneratorConfig(
        resolution=sides[-1],
        latent=latent,
        mapping=layers,
        channel_base=widths[-1] * sides[-1],
        max_channels=constant.shape[-3],
    )
    if [config.channels_at(side) for side in sides] != widths:
        raise InputError(f"{path}: its widths {widths} are not those of any StyleGAN2")
    generator = Generator(config)
    ours: dict[str, Tensor] = {}
    for name, value in generator.state_dict().items():
        found = theirs.get(names(name))
        if found is None or found.numel() != value.numel():
            raise InputError(f"{path}: {names(name)} is missing or has another size; get the file again")
        ours[name] = found.reshape(value.shape).float()
    generator.load_state_dict(ours)
    return generator.eval()


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        stored: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, UnpicklingError, RuntimeError, SafetensorError, AttributeError) as fault:
        raise InputError(
            f"{path} cannot be read without executing what is in it, or is damaged; "
            "save the state dict of its G_ema by itself"
        ) from fault
    if isinstance(stored, dict) and isinstance(stored.get("g_ema"), dict):
        average = {"latent_avg": stored["latent_avg"]} if "latent_avg" in stored else {}
        stored = stored["g_ema"] | average
    if not isinstance(stored, dict) or not all(isinstance(value, Tensor) for value in stored.values()):
        raise InputError(f"{path} holds no state dict; save that of its G_ema by itself")
    return stored


def _port(name: str) -> str:
    """Our name -> that of the widespread port."""
    if name == "w_avg":
        return "latent_avg"
    if name == "constant":
        return "input.input"
    group, number, rest = _parts(name)
    if group == "mapping":
        return f"style.{number + 1}.{rest}"
    tail = {"noise": "noise.weight", "bias": "activate.bias"}.get(
        rest, rest.replace("conv.affine", "conv.modulation")
    )
    if group == "to_rgbs":
        where = "to_rgb1" if number == 0 else f"to_rgbs.{number - 1}"
        return f"{where}.{'bias' if rest == 'bias' else tail}"
    if group == "second" and number == 0:
        return f"conv1.{tail}"
    return f"convs.{2 * number if group == 'first' else 2 * number - 1}.{tail}"


def _nvidia(name: str) -> str:
    """Our name -> NVIDIA's."""
    if name == "w_avg":
        return "mapping.w_avg"
    if name == "constant":
        return "synthesis.b4.const"
    group, number, rest = _parts(name)
    if group == "mapping":
        return f"mapping.fc{number}.{rest}"
    tail = rest.removeprefix("conv.").replace("noise", "noise_strength")
    if group == "first":
        return f"{_block(2 ** (number + 3))}.conv0.{tail}"
    return f"{_block(2 ** (number + 2))}.{'torgb' if group == 'colours' else 'conv1'}.{tail}"


def _parts(name: str) -> tuple[str, int, str]:
    """ "second.3.conv.weight" -> ("second", 3, "conv.weight"); "mapping.layers.0.bias" alike."""
    group, number, rest = name.replace("mapping.layers", "mapping").split(".", 2)
    return group, int(number), rest


def _block(side: int) -> str:
    return f"synthesis.b{side}"

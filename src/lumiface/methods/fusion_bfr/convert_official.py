"""Conversion of StyleGAN2 generators that were trained elsewhere, by the names of their layers.

Three naming schemes are supported: that of the widespread PyTorch port (`g_ema` with `conv1`, `convs.0`,
`to_rgbs.0`), that of BasicSR (`params_ema` with `style_conv1`, `style_convs.0`), whose files GFPGAN is
trained from, and that of NVIDIA's own PyTorch release (`synthesis.b8.conv0`). All store the same parameters.
NVIDIA's pickles contain code and are not opened; their `G_ema.state_dict()`, saved by itself, is read.
"""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from lumiface.core.errors import InputError
from lumiface.methods.fusion_bfr.generator import Generator, GeneratorConfig

_DAMAGED = (
    *(OSError, EOFError, UnpicklingError, RuntimeError, SafetensorError, AttributeError),
    *(ValueError, LookupError, TypeError, struct.error),
)
"""What a file that ends early or holds something else raises while it is read."""

_MEAN_SAMPLES = 10_000
"""Latents whose mean is the mean latent, where a file has none."""

_BASICSR = (
    (r"^constant_input\.weight$", "input.input"),
    (r"^style_mlp\.", "style."),
    (r"^style_conv(1|s\.\d+)\.weight$", r"conv\1.noise.weight"),
    (r"^style_conv", "conv"),
    (r"\.modulated_conv\.", ".conv."),
)
"""Pattern in BasicSR's names -> replacement that gives the port's name; applied in this order."""


def load_official(path: Path) -> Generator:
    """A trained generator from a file, in evaluation mode; its configuration is inferred from its weights.

    A file without a mean latent gets the mean of `_MEAN_SAMPLES` mapped samples of a fixed seed.

    Args:
        path: .pt, .pth (a state dict; nothing in it is executed) or .safetensors.

    Raises:
        InputError: it cannot be read, or holds no whole StyleGAN2 generator of a known naming scheme.
    """
    official = _read(path)
    if "synthesis.b4.const" in official:
        official_name, infer = _nvidia, _infer_nvidia
    elif "input.input" in official:
        official_name, infer = _port, _infer_port
    else:
        raise InputError(f"{path} holds no StyleGAN2 generator: neither input.input nor synthesis.b4.const")
    try:
        config = infer(official)
    except KeyError as error:
        raise InputError(f"{path}: {error.args[0]} is missing; get the file again") from error
    except (IndexError, TypeError, ValidationError) as error:
        raise InputError(f"{path}: the shapes of its layers are not those of a StyleGAN2") from error
    generator = Generator(config)
    converted: dict[str, Tensor] = {}
    for name, value in generator.state_dict().items():
        tensor = official.get(official_name(name))
        if tensor is None and name == "w_avg":
            tensor = value
        if tensor is None or tensor.numel() != value.numel():
            raise InputError(
                f"{path}: {official_name(name)} is missing or has another size; get the file again"
            )
        if not bool(tensor.isfinite().all()):
            raise InputError(f"{path}: {official_name(name)} is not finite; get the file again")
        converted[name] = tensor.reshape(value.shape).float()
    generator.load_state_dict(converted)
    if official_name("w_avg") not in official:
        _estimate_mean_latent(generator)
    return generator.eval()


def _infer_nvidia(official: Mapping[str, Tensor]) -> GeneratorConfig:
    sizes = [
        size for size in (2**level for level in range(2, 11)) if f"{_block(size)}.torgb.bias" in official
    ]
    widths = [len(official[f"{_block(size)}.conv1.bias"]) for size in sizes]
    return _infer(official, sizes, widths, "synthesis.b4.const", lambda number: f"mapping.fc{number}.bias")


def _infer_port(official: Mapping[str, Tensor]) -> GeneratorConfig:
    count = 1 + sum(f"to_rgbs.{number}.bias" in official for number in range(16))
    widths = [len(official["conv1.activate.bias"])]
    widths += [len(official[f"convs.{2 * level + 1}.activate.bias"]) for level in range(count - 1)]
    sizes = [2 ** (level + 2) for level in range(count)]
    return _infer(official, sizes, widths, "input.input", lambda number: f"style.{number + 1}.bias")


def _infer(
    official: Mapping[str, Tensor],
    sizes: list[int],
    widths: list[int],
    constant: str,
    mapping_bias: Callable[[int], str],
) -> GeneratorConfig:
    """The configuration of a generator with these channels at these resolutions.

    Raises:
        KeyError, IndexError, TypeError, ValidationError: it is none, or not a whole one.
    """
    config = GeneratorConfig(
        resolution=sizes[-1],
        latent=official[mapping_bias(0)].shape[0],
        mapping=sum(mapping_bias(number) in official for number in range(64)),
        channel_base=widths[-1] * sizes[-1],
        max_channels=official[constant].shape[-3],
    )
    if [config.channels_at(size) for size in sizes] != widths:
        raise IndexError(widths)
    return config


@torch.no_grad()
def _estimate_mean_latent(generator: Generator) -> None:
    z = torch.randn(_MEAN_SAMPLES, generator.config.latent, generator=torch.Generator().manual_seed(0))
    generator.w_avg.copy_(torch.cat([generator.mapping(part) for part in z.split(1000)]).mean(dim=0))


def _read(path: Path) -> dict[str, Tensor]:
    """The generator's state dict, in the port's or in NVIDIA's names."""
    if not path.is_file():
        raise InputError(f"{path} cannot be read: no such file")
    try:
        if path.suffix == ".safetensors":
            stored: Any = load_file(path)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of pickles that are refused below
                stored = torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        raise InputError(
            f"{path} cannot be read without executing its code, or is damaged; "
            "get it again, or save the state dict of its G_ema by itself"
        ) from error
    if isinstance(stored, dict) and isinstance(stored.get("g_ema"), dict):
        w_avg = {"latent_avg": stored["latent_avg"]} if "latent_avg" in stored else {}
        stored = stored["g_ema"] | w_avg
    elif isinstance(stored, dict) and isinstance(stored.get("params_ema"), dict):
        stored = stored["params_ema"]
    if not isinstance(stored, dict) or not all(isinstance(value, Tensor) for value in stored.values()):
        raise InputError(f"{path} holds no state dict; save that of its G_ema by itself")
    return _port_names(stored) if "constant_input.weight" in stored else stored


def _port_names(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict with BasicSR's names -> the same with the port's."""

    def renamed(name: str) -> str:
        for pattern, replacement in _BASICSR:
            name = re.sub(pattern, replacement, name)
        return name

    return {renamed(name): value for name, value in stored.items()}


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

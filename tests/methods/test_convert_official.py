"""Official generators: random weights of their shapes, under both naming schemes."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from lumiface.core.errors import InputError
from lumiface.methods.fusion_bfr.convert_official import load_official
from lumiface.methods.fusion_bfr.generator import Generator

WIDTHS = {4: 16, 8: 16, 16: 16, 32: 8}
LATENT, LAYERS = 20, 3


def port() -> dict[str, Tensor]:
    """A state dict as of the widespread port."""
    torch.manual_seed(0)
    stored = {"input.input": torch.randn(1, 16, 4, 4)}
    for number in range(LAYERS):
        stored |= {f"style.{number + 1}.weight": torch.randn(LATENT, LATENT)}
        stored |= {f"style.{number + 1}.bias": torch.randn(LATENT)}

    def layer(name: str, inputs: int, outputs: int, kernel: int) -> None:
        stored[f"{name}.conv.weight"] = torch.randn(1, outputs, inputs, kernel, kernel)
        stored[f"{name}.conv.modulation.weight"] = torch.randn(inputs, LATENT)
        stored[f"{name}.conv.modulation.bias"] = torch.randn(inputs)
        if kernel == 1:
            stored[f"{name}.bias"] = torch.randn(1, 3, 1, 1)
        else:
            stored[f"{name}.noise.weight"] = torch.randn(1)
            stored[f"{name}.activate.bias"] = torch.randn(outputs)

    layer("conv1", 16, 16, 3)
    layer("to_rgb1", 16, 3, 1)
    before = 16
    for level, side in enumerate((8, 16, 32)):
        layer(f"convs.{2 * level}", before, WIDTHS[side], 3)
        layer(f"convs.{2 * level + 1}", WIDTHS[side], WIDTHS[side], 3)
        layer(f"to_rgbs.{level}", WIDTHS[side], 3, 1)
        stored[f"convs.{2 * level}.conv.blur.kernel"] = torch.ones(4, 4)  # not converted
        before = WIDTHS[side]
    return stored


def nvidia(ported: dict[str, Tensor], mean: Tensor) -> dict[str, Tensor]:
    """The same parameters under the names and shapes of NVIDIA's release."""
    stored = {"synthesis.b4.const": ported["input.input"][0], "mapping.w_avg": mean}
    for number in range(LAYERS):
        for part in ("weight", "bias"):
            stored[f"mapping.fc{number}.{part}"] = ported[f"style.{number + 1}.{part}"]

    def layer(name: str, source: str) -> None:
        stored[f"{name}.weight"] = ported[f"{source}.conv.weight"][0]
        for part in ("weight", "bias"):
            stored[f"{name}.affine.{part}"] = ported[f"{source}.conv.modulation.{part}"]
        if "rgb" in source:
            stored[f"{name}.bias"] = ported[f"{source}.bias"].flatten()
        else:
            stored[f"{name}.bias"] = ported[f"{source}.activate.bias"]
            stored[f"{name}.noise_strength"] = ported[f"{source}.noise.weight"][0]
            stored[f"{name}.noise_const"] = torch.zeros(4, 4)

    layer("synthesis.b4.conv1", "conv1")
    layer("synthesis.b4.torgb", "to_rgb1")
    for level, side in enumerate((8, 16, 32)):
        layer(f"synthesis.b{side}.conv0", f"convs.{2 * level}")
        layer(f"synthesis.b{side}.conv1", f"convs.{2 * level + 1}")
        layer(f"synthesis.b{side}.torgb", f"to_rgbs.{level}")
    return stored


def synthesise(generator: Generator) -> Tensor:
    noise = generator.sample_noise(1, torch.Generator().manual_seed(0))
    with torch.no_grad():
        return generator(torch.ones(1, LATENT).cumsum(1), noise)


def test_both_naming_schemes_give_the_same_generator(tmp_path: Path) -> None:
    ported, mean = port(), torch.randn(LATENT)
    torch.save({"g_ema": ported, "latent_avg": mean}, tmp_path / "port.pt")
    save_file(nvidia(ported, mean), tmp_path / "nvidia.safetensors")
    one, other = load_official(tmp_path / "port.pt"), load_official(tmp_path / "nvidia.safetensors")
    assert one.config.resolution == 32
    assert (one.config.latent, one.config.mapping, one.config.num_latents) == (LATENT, LAYERS, 8)
    assert {size: one.config.channels_at(size) for size in WIDTHS} == WIDTHS
    for (name, first), second in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(first, second), name
    assert torch.equal(one.w_avg, mean)
    assert torch.equal(one.first[2].conv.weight, ported["convs.4.conv.weight"][0])  # type: ignore[union-attr]
    assert torch.equal(synthesise(one), synthesise(other))


def test_other_files_are_refused(tmp_path: Path) -> None:
    ported = port()
    ported["latent_avg"] = torch.zeros(LATENT)
    incomplete = {name: value for name, value in ported.items() if name != "convs.2.noise.weight"}
    torch.save(incomplete, tmp_path / "incomplete.pt")
    with pytest.raises(InputError, match=r"convs\.2\.noise\.weight is missing"):
        load_official(tmp_path / "incomplete.pt")
    torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(InputError, match="holds no StyleGAN2 generator"):
        load_official(tmp_path / "other.pt")
    (tmp_path / "network.pkl").write_bytes(pickle.dumps({"G_ema": Path("code")}))
    with pytest.raises(InputError, match="cannot be read without executing"):
        load_official(tmp_path / "network.pkl")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(InputError, match="holds no state dict"):
        load_official(tmp_path / "list.pt")
    with pytest.raises(InputError, match="cannot be read"):
        load_official(tmp_path / "gone.pt")

"""Official generators: random weights of their shapes, every naming scheme, an independent network."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
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


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> Any:
    """spandrel's StyleGAN2 of 64 pixels with random weights: 16 channels up to 32 pixels, 8 at 64."""
    arch: Any = pytest.importorskip("spandrel.architectures.GFPGAN.__arch.stylegan2_arch")

    def activate(x: Tensor, bias: Tensor) -> Tensor:
        return F.leaky_relu(x + (bias if x.ndim == 2 else bias[:, None, None]), 0.2) * 2.0**0.5

    # Its activation is a CUDA kernel that is compiled at run time; all else has an implementation for CPUs.
    monkeypatch.setattr(arch, "fused_leaky_relu", activate)
    monkeypatch.setattr(arch.FusedLeakyReLU, "forward", lambda layer, x: activate(x, layer.bias))
    torch.manual_seed(0)
    network = arch.StyleGAN2Generator(
        64, num_style_feat=LATENT, num_mlp=LAYERS, channel_multiplier=1, narrow=1 / 32
    )
    for name, parameter in network.named_parameters():  # biases and noise weights begin at 0 or 1
        if name.endswith("bias") or parameter.numel() == 1:
            torch.nn.init.normal_(parameter, 1.0 if "modulation" in name else 0.0, 0.3)
    return network.eval()


def official_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """spandrel's state dict under the names of the widespread port."""
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        first, _, rest = name.replace(".modulated_conv.", ".conv.").partition(".")
        if first.startswith("style_conv"):
            number, _, tail = rest.partition(".") if first == "style_convs" else ("", "", rest)
            layer = f"convs.{number}" if number else "conv1"
            found[f"{layer}.{'noise.weight' if tail == 'weight' else tail}"] = value
        elif first == "constant_input":
            found["input.input"] = value
        else:
            found[f"{first.replace('style_mlp', 'style')}.{rest}"] = value
    return found


@pytest.mark.parametrize("layout", ["port", "basicsr"])
def test_a_loaded_generator_equals_an_independent_one(reference: Any, tmp_path: Path, layout: str) -> None:
    state = reference.state_dict()
    stored = {"params_ema": state} if layout == "basicsr" else {"g_ema": official_names(state)}
    torch.save(stored, tmp_path / "official.pth")
    loaded = load_official(tmp_path / "official.pth")
    assert (loaded.config.resolution, loaded.config.mapping, loaded.config.latent) == (64, LAYERS, LATENT)
    random = torch.Generator().manual_seed(1)
    latents = torch.randn(2, loaded.config.num_latents, LATENT, generator=random)
    noise = loaded.sample_noise(2, random)
    z = torch.randn(2, LATENT, generator=random)
    with torch.no_grad():
        for ours, theirs in (
            (loaded.synthesise(latents, noise), reference([latents], input_is_latent=True, noise=noise)[0]),
            (loaded(z, noise), reference([z], noise=noise)[0]),
        ):
            scale = theirs.abs().max()
            assert ours.shape == (2, 3, 64, 64)
            assert (ours - theirs).abs().max() <= 1e-4 * scale
        silent = loaded.synthesise(latents, loaded.zero_noise())
        assert (silent - loaded.synthesise(latents, noise)).abs().max() > 0.01 * scale  # the noise counts
        samples = reference.get_latent(torch.randn(10_000, LATENT, generator=random))
    spread = samples.std(dim=0)
    assert ((loaded.w_avg - samples.mean(dim=0)).abs() < 0.1 * spread).all()  # neither file has a mean latent
    assert loaded.w_avg.abs().max() > spread.max() * 0.1


def test_other_files_are_refused(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    ported = port()
    ported["latent_avg"] = torch.zeros(LATENT)
    incomplete = {name: value for name, value in ported.items() if name != "convs.2.noise.weight"}
    torch.save(incomplete, tmp_path / "incomplete.pt")
    with pytest.raises(InputError, match=r"convs\.2\.noise\.weight is missing"):
        load_official(tmp_path / "incomplete.pt")
    torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(InputError, match="holds no StyleGAN2 generator"):
        load_official(tmp_path / "other.pt")
    for name in ("conv1.activate.bias", "convs.3.activate.bias", "style.1.bias"):
        torch.save({key: value for key, value in ported.items() if key != name}, tmp_path / "incomplete.pt")
        with pytest.raises(InputError, match=rf"incomplete\.pt: {name} is missing"):
            load_official(tmp_path / "incomplete.pt")
    torch.save(ported | {"convs.1.activate.bias": torch.zeros(7)}, tmp_path / "strange.pt")
    with pytest.raises(InputError, match=r"strange\.pt: the shapes of its layers"):
        load_official(tmp_path / "strange.pt")
    torch.save(ported | {"to_rgbs.1.bias": torch.full((1, 3, 1, 1), torch.nan)}, tmp_path / "nan.pt")
    with pytest.raises(InputError, match=r"nan\.pt: to_rgbs\.1\.bias is not finite"):
        load_official(tmp_path / "nan.pt")
    (tmp_path / "network.pkl").write_bytes(pickle.dumps({"G_ema": Path("code")}))
    with pytest.raises(InputError, match="cannot be read without executing"):
        load_official(tmp_path / "network.pkl")
    assert not recwarn.list  # torch warns of the pickle's protocol
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(InputError, match="holds no state dict"):
        load_official(tmp_path / "list.pt")
    with pytest.raises(InputError, match=r"gone\.pt cannot be read: no such file"):
        load_official(tmp_path / "gone.pt")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_truncated_file_is_refused_by_name(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "port.pt"
    torch.save({"g_ema": port()}, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    for length in (0, 1, 7, 100, 2000, len(whole) // 2, len(whole) - 500):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"port\.pt cannot be read.*is damaged") as caught:
            load_official(path)
        assert "\n" not in str(caught.value)

"""The super-resolution baselines: sizes against the published ones, architecture."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lumiface.blocks.channel_transformer import ChannelTransformer
from lumiface.core.errors import SettingError
from lumiface.methods.baselines.ctcnet import CTCNet, CTCNetConfig, StructureAttention
from lumiface.methods.baselines.edsr import EDSR, EDSRConfig
from lumiface.methods.baselines.omnisr import OmniSR, OmniSRConfig
from lumiface.methods.baselines.sparnet import SPARNet, SPARNetConfig, SpatialAttention
from lumiface.methods.baselines.swinir import SwinIR, SwinIRConfig, window_mask

WRAPPED = ("swinir", "omnisr")
SMALL: dict[str, tuple[type[nn.Module], Any]] = {
    "edsr": (EDSR, EDSRConfig(channels=8, blocks=2)),
    "edsr-x2": (EDSR, EDSRConfig(channels=8, blocks=1, scale=2)),
    "edsr-x8": (EDSR, EDSRConfig(channels=8, blocks=1, scale=8)),
    "sparnet": (SPARNet, SPARNetConfig(channels=8, hourglass_channels=8, blocks=1)),
    "sparnet-volume-x8": (
        SPARNet,
        SPARNetConfig(channels=8, hourglass_channels=8, blocks=1, attention="volume", scale=8),
    ),
    "ctcnet": (CTCNet, CTCNetConfig(channels=8, transformers=(1, 1, 1), refinements=1)),
    "ctcnet-x2": (CTCNet, CTCNetConfig(channels=8, transformers=(1, 1, 1), refinements=1, scale=2)),
    "swinir": (SwinIR, SwinIRConfig(channels=12, heads=2, groups=1, layers=2)),
    "swinir-x8": (SwinIR, SwinIRConfig(channels=12, heads=2, groups=1, layers=2, window=4, scale=8)),
    "omnisr": (OmniSR, OmniSRConfig(channels=16, groups=1)),
    "omnisr-x2": (OmniSR, OmniSRConfig(channels=16, groups=1, window=4, scale=2)),
}


def image(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


def make(name: str) -> nn.Module:
    if name.startswith(WRAPPED):
        pytest.importorskip("spandrel")
    network, config = SMALL[name]
    torch.manual_seed(0)
    return network(config)


def parameters(network: nn.Module) -> int:
    return sum(weights.numel() for weights in network.parameters())


@pytest.mark.parametrize(
    ("network", "config", "published"),
    [
        (EDSR, EDSRConfig(), 1.52e6),  # Lim et al.'s baseline at x4
        (EDSR, EDSRConfig(scale=2), 1.37e6),
        (EDSR, EDSRConfig(channels=256, blocks=32, residual_scale=0.1), 43.1e6),
        (CTCNet, CTCNetConfig(), 22.4e6),
        (OmniSR, OmniSRConfig(), 0.792e6),
        (OmniSR, OmniSRConfig(scale=2), 0.772e6),
    ],
)
def test_numbers_of_parameters_are_the_published_ones(
    network: type[nn.Module], config: Any, published: float
) -> None:
    if network is OmniSR:
        pytest.importorskip("spandrel")
    with torch.device("meta"):
        assert parameters(network(config)) == pytest.approx(published, rel=0.03)


def test_sparnet_has_the_parameters_of_the_authors_layers() -> None:
    def hourglass(channels: int, depth: int) -> int:
        narrow, inner = 9 * channels * 64 + 2 * 64, 9 * 64 * 64 + 2 * 64
        return 2 * narrow + (2 * (depth - 1) + 1 + depth) * inner + 9 * 64 + 1

    def unit(before: int, after: int, depth: int, shortcut: bool = True) -> int:
        norms = 2 * before + 2 * after + 2 * after
        body = 9 * before * after + 9 * after * after
        return norms + body + shortcut * (9 * before * after + after) + hourglass(after, depth)

    expected = (
        (9 * 3 * 32 + 32)
        + unit(32, 64, 4) + unit(64, 128, 3) + unit(128, 128, 2)
        + 10 * unit(128, 128, 2, shortcut=False)
        + unit(128, 128, 3) + unit(128, 64, 4) + unit(64, 32, 5)
        + (9 * 32 * 3 + 3)
    )  # fmt: skip
    assert parameters(SPARNet(SPARNetConfig())) == expected


@pytest.mark.parametrize(("scale", "published"), [(2, 878e3), (4, 897e3)])
def test_swinir_has_the_published_size_plus_one_layer(scale: int, published: float) -> None:
    pytest.importorskip("spandrel")
    network = SwinIR(SwinIRConfig.model_validate({"scale": scale}))
    body: Any = network.body
    assert parameters(network) - parameters(body.conv_after_body) == pytest.approx(published, rel=0.001)


@pytest.mark.parametrize("name", SMALL)
def test_any_size_and_single_equals_batch(name: str) -> None:
    network = make(name).eval()
    scale: int = SMALL[name][1].scale
    with torch.inference_mode():
        for height, width in ((17, 9), (1, 1)):
            batch = network(image(2, 3, height, width))
            assert batch.shape == (2, 3, scale * height, scale * width)
            assert batch.isfinite().all()
            single = network(image(2, 3, height, width)[1:])
            torch.testing.assert_close(single[0], batch[1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", SMALL)
def test_every_parameter_gets_a_gradient_and_bfloat16_is_finite(name: str) -> None:
    network = make(name)
    network(image(2, 3, 12, 10)).square().mean().backward()
    without = [
        key for key, weights in network.named_parameters() if weights.grad is None or not weights.grad.any()
    ]
    assert without == []
    network.to(torch.bfloat16)
    output = network(image(2, 3, 12, 10).bfloat16())
    assert output.dtype == torch.bfloat16
    assert output.isfinite().all()


def test_edsr_has_no_normalisation_and_is_local() -> None:
    network = make("edsr").eval()
    assert not any("Norm" in type(module).__name__ for module in network.modules())
    low = image(1, 3, 24, 24)
    changed = low.clone()
    changed[..., 0, 0] += 1.0
    with torch.inference_mode():
        difference = (network(changed) - network(low)).abs().amax(dim=(0, 1))
    # 3x3 convolutions: head, 2·2 in the blocks, body = 6 pixels; two more while upsampling, and the tail.
    radius = 4 * (1 + 6) + 4 * 1 + 2 * 1 + 1
    assert difference[:radius, :radius].max() > 0
    assert difference[radius:].max() == 0
    assert difference[:, radius:].max() == 0


def attention_sizes(network: nn.Module, kind: type[nn.Module], large: int) -> list[tuple[int, int]]:
    """(size of the features, size at the hourglass's bottom) for each attention, in order of use."""
    sizes: list[tuple[int, int]] = []
    for module in network.modules():
        if isinstance(module, kind):
            bottom: list[int] = []
            module.middle.register_forward_hook(lambda _m, _i, output, b=bottom: b.append(output.shape[-1]))
            module.register_forward_hook(
                lambda _m, _i, output, b=bottom: sizes.append((output.shape[-1], b[-1]))
            )
    scale: int = network.config.scale  # type: ignore[assignment, union-attr]
    with torch.inference_mode():
        network.eval()(image(1, 3, large // scale, large // scale))
    return sizes


def test_sparnet_downsamples_to_16_and_every_hourglass_to_4() -> None:
    sizes = attention_sizes(SPARNet(SPARNetConfig(channels=8, hourglass_channels=8)), SpatialAttention, 128)
    assert sizes == [(64, 4), (32, 4), (16, 4)] + [(16, 4)] * 10 + [(32, 4), (64, 4), (128, 4)]


def test_ctcnet_attends_at_three_sizes_and_refines_at_an_eighth() -> None:
    network = CTCNet(CTCNetConfig(channels=8))
    assert attention_sizes(network, StructureAttention, 128) == [
        *[(128, 8), (64, 4), (32, 2)],
        *[(16, 4)] * 4,
        *[(32, 2), (64, 4), (128, 8)],
    ]
    assert sum(isinstance(module, ChannelTransformer) for module in network.modules()) == 2 * (4 + 6 + 6)


@pytest.mark.parametrize(("name", "per_channel"), [("sparnet", False), ("sparnet-volume-x8", True)])
def test_sparnets_attention_is_per_pixel_or_per_channel(name: str, per_channel: bool) -> None:
    network: Any = make(name).eval()
    attention = network.middle[0].attention
    features = image(1, 32, 8, 8) + 0.5
    with torch.inference_mode():
        weights = attention(features) / features
        assert weights.min() > 0
        assert weights.max() < 1
        assert (weights.std(dim=1).max() > 1e-4) == per_channel
        attention.weigh.weight.zero_()
        attention.weigh.bias.zero_()
        torch.testing.assert_close(attention(features), features / 2)


def test_ctcnet_adds_to_the_upscaled_image() -> None:
    network: Any = make("ctcnet").eval()
    nn.init.zeros_(network.tail.weight)
    nn.init.zeros_(network.tail.bias)
    low = image(1, 3, 7, 6)
    upscaled = F.interpolate(low, scale_factor=4.0, mode="bicubic", align_corners=False)
    with torch.inference_mode():
        torch.testing.assert_close(network(low), upscaled)


def test_ctcnets_transformer_attends_by_cosine_similarity() -> None:
    torch.manual_seed(0)
    block = ChannelTransformer(8, heads=2).eval()
    features = image(2, 8, 4, 6)
    with torch.inference_mode():
        q, k, v = block.qkv_depthwise(block.qkv(features)).reshape(2, 3, 2, 4, 24).unbind(dim=1)
        similarity = torch.cosine_similarity(q[:, :, :, None], k[:, :, None], dim=-1)  # (B, heads, 4, 4)
        mixed = (similarity * block.temperature).softmax(dim=-1) @ v
        expected = block.project(mixed.reshape(2, 8, 4, 6))
        torch.testing.assert_close(block._attend(features), expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("side", [16, 32])
def test_wrapped_swinir_equals_spandrels(side: int) -> None:
    spandrel: Any = pytest.importorskip("spandrel.architectures.SwinIR")
    network: Any = make("swinir").eval()
    torch.manual_seed(7)
    reference = spandrel.SwinIR(
        img_size=24, window_size=8, embed_dim=12, depths=[2], num_heads=[2], mlp_ratio=2.0, upscale=4,
        upsampler="pixelshuffledirect",
    ).eval()  # fmt: skip
    missing = network.body.load_state_dict(reference.state_dict(), strict=False)
    assert missing.missing_keys == []
    low = image(2, 3, side, 24)
    with torch.inference_mode():
        torch.testing.assert_close(network(low), reference(low), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("size", "window", "shift"), [((16, 24), 8, 4), ((8, 8), 8, 4), ((12, 4), 4, 2)])
def test_window_masks_equal_spandrels(size: tuple[int, int], window: int, shift: int) -> None:
    arch: Any = pytest.importorskip("spandrel.architectures.SwinIR")
    network = arch.SwinIR(img_size=32, window_size=window, embed_dim=12, depths=[2], num_heads=[2])
    block = network.layers[0].residual_group.blocks[1]
    network = window_mask(size, window, shift, like=torch.zeros(1))
    torch.testing.assert_close(network, block.calculate_mask(size), rtol=0, atol=0)
    assert not window_mask(size, window, 0, like=torch.zeros(1)).any()


def test_wrapped_omnisr_equals_spandrels() -> None:
    spandrel: Any = pytest.importorskip("spandrel.architectures.OmniSR")
    network: Any = make("omnisr").eval()
    torch.manual_seed(7)
    reference = spandrel.OmniSR(num_feat=16, res_num=1, block_num=1, up_scale=4).eval()
    network.body.load_state_dict(reference.state_dict())
    low = image(2, 3, 16, 24)
    with torch.no_grad():
        torch.testing.assert_close(network(low), reference(low), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("name", "network"), [("swinir", "SwinIR"), ("omnisr", "OmniSR")])
def test_without_spandrel_building_names_the_package_to_install(
    name: str, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [key for key in sys.modules if key.split(".")[0] == "spandrel"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "spandrel", None)  # what the import system takes for "not there"
    spec = importlib.util.find_spec(f"lumiface.methods.baselines.{name}")
    assert spec is not None
    assert spec.loader is not None
    fresh: Any = importlib.util.module_from_spec(spec)
    # The configuration's annotations are looked up by the module's name.
    monkeypatch.setitem(sys.modules, spec.name, fresh)
    spec.loader.exec_module(fresh)
    with pytest.raises(SettingError, match=r"pip install 'lumiface\[peers\]'"):
        getattr(fresh, network)(getattr(fresh, f"{network}Config")())


def test_swinirs_heads_must_divide_its_channels() -> None:
    with pytest.raises(ValueError, match="multiple of heads"):
        SwinIRConfig(channels=64, heads=6)

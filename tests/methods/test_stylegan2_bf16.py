"""StyleGAN2 and the restorer in bf16: what stays in float32 keeps them near their float32 results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lumiface.methods.fusion_bfr import resampling_conv
from lumiface.methods.fusion_bfr.discriminator import Discriminator, DiscriminatorConfig
from lumiface.methods.fusion_bfr.generator import Generator, GeneratorConfig
from lumiface.methods.fusion_bfr.model import FusionBFR, FusionBFRConfig
from lumiface.methods.fusion_bfr.precision import float32_math, in_float32, to_float32

SIZE: dict[str, Any] = {"resolution": 64, "channel_base": 1024, "max_channels": 32}


@pytest.fixture(autouse=True, params=[False, True], ids=["separate", "fused"])
def fused(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both forms of the resampling convolutions: a GPU's is tested on the CPU."""
    monkeypatch.setattr(resampling_conv, "_use_fused", lambda x, fused: request.param)


def autocast() -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16)


def deviation(values: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """Norm of the difference relative to the norm, of all values together."""
    difference = [(one.float() - other).flatten() for one, other in zip(values, expected, strict=True)]
    return (torch.cat(difference).norm() / torch.cat([other.flatten() for other in expected]).norm()).item()


def make_generator() -> Generator:
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig.model_validate(SIZE | {"latent": 32, "mapping": 4}))
    for name, value in generator.named_parameters():
        if name.endswith("noise"):
            nn.init.constant_(value, 0.1)
    return generator


def make_discriminator() -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(DiscriminatorConfig.model_validate(SIZE))


def test_the_generator_is_near_its_float32_result() -> None:
    """Without float32 for styles, normalisation and the RGB sum: 0.013 to 0.025, and 0.034 to 0.046."""
    generator = make_generator()
    random = torch.Generator().manual_seed(0)
    z, noise = torch.randn(4, 32, generator=random), generator.sample_noise(4, random)
    expected = generator(z, noise)
    with autocast():
        faces = generator(z, noise)
    assert faces.dtype == torch.float32
    assert 0.0 < deviation([faces], [expected]) < 0.009
    parameters = list(generator.mapping.parameters())
    gradients, exact = (
        torch.autograd.grad(images.square().mean(), parameters) for images in (faces, expected)
    )
    assert deviation(gradients, exact) < 0.032  # 0.030 on a processor without bf16


def test_the_discriminator_is_near_its_float32_result() -> None:
    discriminator = make_discriminator()
    images = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    expected = discriminator(images)
    with autocast():
        logits = discriminator(images)
    assert logits.dtype == torch.float32
    assert 0.0 < deviation([logits], [expected]) < 0.02
    assert (logits.bfloat16() != logits).any()  # not rounded by a last layer in bf16


def test_low_resolutions_and_the_mapping_are_in_float32() -> None:
    assert [in_float32(size, 128) for size in (4, 8, 16, 128)] == [True, True, False, False]
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(resolution=128, latent=16, channel_base=512, max_channels=16))
    reduced = list[bool]()
    for layer in generator.second:
        layer.register_forward_pre_hook(lambda *_: reduced.append(torch.is_autocast_enabled("cpu")))
    z = torch.randn(2, 16)
    with autocast():
        generator(z, generator.zero_noise())
        w = generator.mapping(z)
    assert reduced == [False, False, True, True, True, True]
    assert torch.equal(w, generator.mapping(z))


def test_the_restorer_trains_in_bf16() -> None:
    """Its features, bf16 or not, meet the generator's at every scale."""
    torch.manual_seed(0)
    encoder = {"resolution": 64, "channel_base": 512, "max_channels": 16, "latent": 32}
    generator = SIZE | {"latent": 32, "mapping": 2}
    network = FusionBFR(
        FusionBFRConfig.model_validate({"encoder": encoder, "generator": generator, "heads": 2})
    )
    for branch in network.sft:  # as if trained: an untrained one modulates nothing
        nn.init.normal_(branch.beta[-1].weight, std=0.1)  # type: ignore[union-attr,index,arg-type]
    faces, fidelity = torch.rand(2, 3, 64, 64), torch.tensor([0.3, 1.0])
    expected = network(faces, fidelity)
    with autocast():
        restored = network(faces, fidelity)
    assert deviation([restored], [expected]) < 0.015
    restored.square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), name


@pytest.mark.slow
def test_bf16_networks_are_compiled_as_one_graph() -> None:
    generator, discriminator = make_generator(), make_discriminator()
    z, noise = torch.randn(2, 32), generator.sample_noise(2, torch.Generator().manual_seed(0))

    def logits(generator: nn.Module, discriminator: nn.Module) -> Tensor:
        with autocast():
            return discriminator(generator(z, noise))

    networks = (generator, discriminator)
    compiled: Any = [torch.compile(network, backend="aot_eager", fullgraph=True) for network in networks]
    torch.testing.assert_close(logits(*compiled), logits(*networks), atol=1e-4, rtol=1e-4)


def test_without_autocast_nothing_changes() -> None:
    x = torch.ones(2, dtype=torch.bfloat16)
    assert to_float32(x) is x
    with autocast():
        assert to_float32(x).dtype == torch.float32
        with float32_math(x):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
        with float32_math(x, when=False):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16

"""StyleGAN2: each fused or rearranged operation against the paper's formula."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import Tensor

from helpers import rand
from lumiface.methods.fusion_bfr.discriminator import Discriminator, DiscriminatorConfig, minibatch_stddev
from lumiface.methods.fusion_bfr.generator import Generator, GeneratorConfig
from lumiface.methods.fusion_bfr.generator_recipe import alternate
from lumiface.methods.fusion_bfr.resampling_conv import (
    _blur_by_slices,
    _blur_kernels,
    conv_down,
    conv_up,
    upsample,
)
from lumiface.methods.fusion_bfr.style_layers import EqualConv2d, EqualLinear, ModulatedConv2d

SMALL = GeneratorConfig(resolution=32, latent=16, mapping=2, channel_base=256, max_channels=16)
BLUR = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8


def blur(x: Tensor, before: int, after: int, gain: float = 1.0) -> Tensor:
    kernel = (gain * BLUR[:, None] * BLUR).expand(x.shape[1], 1, 4, 4)
    return F.conv2d(F.pad(x, (before, after, before, after)), kernel, groups=x.shape[1])


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("up", [False, True])
def test_scaling_the_features_equals_scaling_the_kernel(up: bool, demodulate: bool) -> None:
    torch.manual_seed(0)
    layer = ModulatedConv2d(5, 7, 3, 8, demodulate=demodulate, up=up)
    x, w = torch.randn(3, 5, 6, 6), torch.randn(3, 8)
    style, expected = layer.affine(w), list[Tensor]()
    for row in range(3):  # equations 1 and 3, one kernel per image
        kernel = layer.weight * layer.scale * style[row][None, :, None, None]
        if demodulate:
            kernel = kernel / (kernel.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if up:
            upsampled = F.conv_transpose2d(x[row : row + 1], kernel.transpose(0, 1), stride=2)
            expected.append(blur(upsampled, 1, 1, gain=4.0))
        else:
            expected.append(F.conv2d(x[row : row + 1], kernel, padding=1))
    torch.testing.assert_close(layer(x, w), torch.cat(expected), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("kernel", "before", "after"), [(3, 2, 2), (1, 1, 1)])
def test_halving_is_a_blur_and_a_stride(kernel: int, before: int, after: int) -> None:
    torch.manual_seed(0)
    layer, x = EqualConv2d(4, 6, kernel, down=True), torch.randn(2, 4, 16, 16)
    expected = F.conv2d(blur(x, before, after), layer.weight * layer.scale, layer.bias, stride=2)
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("conv", [lambda x, w, **options: conv_down(x, w, None, **options), conv_up])
def test_fused_and_separate_resampling_are_equal(conv: Callable[..., Tensor], kernel: int) -> None:
    """The output, its gradients, and second-order gradients, which R1 and path length need."""
    torch.manual_seed(0)
    x = torch.randn(2, 4, 8, 8, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(6, 4, kernel, kernel, dtype=torch.float64, requires_grad=True)
    results = list[list[Tensor]]()
    for fused in (True, False):
        y = conv(x, weight, fused=fused)
        (gradient,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        results.append([y, gradient, *torch.autograd.grad(gradient.square().sum(), [x, weight])])
    torch.testing.assert_close(results[0], results[1])


@pytest.mark.parametrize("gain", [1.0, 4.0])
def test_kernels_blurred_in_compiled_code_are_the_same(gain: float) -> None:
    weight = rand(3, 2, 3, 3)
    blurred = _blur_by_slices(weight, gain)
    assert blurred.shape == (3, 2, 6, 6)
    torch.testing.assert_close(blurred, _blur_kernels(weight, gain))


def test_upsampling_keeps_a_linear_ramp() -> None:
    ramp = torch.arange(16.0).expand(1, 2, 16, 16)
    large = upsample(ramp)
    assert large.shape == (1, 2, 32, 32)
    inner = large[..., 4:-4, 4:-4]
    torch.testing.assert_close(inner.diff(dim=-1), torch.full_like(inner[..., 1:], 0.5), atol=1e-5, rtol=0)


def test_layers_preserve_the_variance() -> None:
    torch.manual_seed(0)
    assert EqualLinear(256, 256)(torch.randn(64, 256)).std().item() == pytest.approx(1.0, abs=0.05)
    slow = EqualLinear(256, 256, lr_multiplier=0.01)
    assert slow(torch.randn(64, 256)).std().item() == pytest.approx(1.0, abs=0.05)
    layer = ModulatedConv2d(64, 64, 3, 16)
    assert layer(torch.randn(4, 64, 16, 16), torch.randn(4, 16)).std().item() == pytest.approx(1.0, abs=0.1)


def test_the_numbers_of_latents_and_parameters_are_the_papers() -> None:
    assert [GeneratorConfig(resolution=size).num_latents for size in (128, 256, 512, 1024)] == [
        12,
        14,
        16,
        18,
    ]
    assert [GeneratorConfig().channels_at(size) for size in (4, 64, 128, 256, 512)] == [
        512,
        512,
        256,
        128,
        64,
    ]
    with torch.device("meta"):
        generator, discriminator = (
            network(config(resolution=1024))
            for network, config in ((Generator, GeneratorConfig), (Discriminator, DiscriminatorConfig))
        )
    # The totals that the official networks for 1024 pixels print.
    assert sum(p.numel() for p in generator.parameters()) == 30_370_060
    assert sum(p.numel() for p in discriminator.parameters()) == 29_012_513
    with pytest.raises(ValidationError, match="100 is not a power of two"):
        GeneratorConfig(resolution=100)


def test_a_face_is_a_function_of_latent_and_noise() -> None:
    torch.manual_seed(0)
    generator = Generator(SMALL).eval()
    z, noise = torch.randn(3, 16), generator.sample_noise(1, torch.Generator().manual_seed(0))
    assert [level.shape[-1] for level in noise] == [4, 8, 8, 16, 16, 32, 32]
    with torch.no_grad():
        faces = generator(z, noise)
        assert faces.shape == (3, 3, 32, 32)
        assert torch.equal(faces, generator(z, noise))
        torch.testing.assert_close(generator(z[1:2], noise), faces[1:2], atol=1e-5, rtol=1e-4)
        for layer in [*generator.first, *generator.second]:
            layer.noise.fill_(0.5)  # type: ignore[operator, union-attr]
        assert not torch.allclose(generator(z, noise), faces)
        latents = generator.broadcast_latent(generator.mapping(z))
        mean = generator.truncate(latents, 0.0)
        assert torch.equal(mean, generator.w_avg.expand_as(mean))
        assert torch.equal(generator.truncate(latents, 1.0), latents)
        shapes: list[tuple[int, ...]] = []

        def hook(features: Tensor, resolution: int) -> Tensor:
            shapes.append((resolution, *features.shape[1:]))
            return features

        generator.synthesise(latents, noise, hook)
    assert shapes == [(4, 16, 4, 4), (8, 16, 8, 8), (16, 16, 16, 16), (32, 8, 32, 32)]
    with pytest.raises(ValueError, match=r"must be \(B, 8, 16\)"):
        generator.synthesise(latents[:, :3], noise)


def test_every_parameter_of_both_networks_gets_a_gradient() -> None:
    torch.manual_seed(0)
    networks: list[Any] = [
        Generator(SMALL),
        Discriminator(DiscriminatorConfig(resolution=32, channel_base=256, max_channels=16)),
    ]
    generator, discriminator = networks
    noise = generator.sample_noise(4, torch.Generator().manual_seed(0))
    discriminator(generator(torch.randn(4, 16), noise)).sum().backward()
    for network in networks:
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.any(), name


def test_minibatch_stddev_detects_equal_images() -> None:
    x = rand(4, 3, 2, 2)
    same = x[:1].expand(4, -1, -1, -1)
    assert minibatch_stddev(same, 4).max() < 1e-3
    expected = x.std(dim=0, correction=0).mean()
    torch.testing.assert_close(minibatch_stddev(x, 4), expected.expand(4, 1, 2, 2), atol=1e-4, rtol=1e-3)
    pairs = minibatch_stddev(x, 2)[:, 0, 0, 0]  # 0 with 2, 1 with 3
    torch.testing.assert_close(pairs[0], (x[0] - x[2]).abs().mean() / 2, atol=1e-4, rtol=1e-3)
    assert pairs[0] == pairs[2]
    assert minibatch_stddev(x[:3], 2).shape == (3, 1, 2, 2)


@pytest.mark.parametrize("count", [4, 12])
def test_real_and_fake_faces_in_one_call_have_the_logits_of_two(count: int) -> None:
    torch.manual_seed(0)
    discriminator = Discriminator(DiscriminatorConfig(resolution=16, channel_base=256))
    real, fake = rand(count, 3, 16, 16), rand(count, 3, 16, 16, seed=1)
    logits = discriminator(alternate(real, fake)).unflatten(0, (-1, 2))
    for column, faces in enumerate((real, fake)):
        torch.testing.assert_close(logits[:, column], discriminator(faces))


def test_a_generator_may_be_bfloat16_as_a_whole() -> None:
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(resolution=32, latent=32, mapping=2, channel_base=1024))
    latents = generator.broadcast_latent(generator.mapping(torch.randn(4, 32)))
    exact_image = generator(latents, generator.zero_noise())
    whole = generator.bfloat16()(latents.bfloat16(), generator.zero_noise())
    assert whole.dtype == torch.bfloat16
    assert (whole.float() - exact_image).norm() < 0.03 * exact_image.norm()


@pytest.mark.slow
def test_compiled_networks_have_the_same_gradients() -> None:
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(resolution=32, latent=32, mapping=2, channel_base=512))
    discriminator = Discriminator(DiscriminatorConfig(resolution=32, channel_base=512))
    z, noise = torch.randn(4, 32), generator.sample_noise(4, torch.Generator().manual_seed(1))
    gradients: list[Tensor] = []
    for compiled in (False, True):
        networks: Any = (generator, discriminator)
        if compiled:
            networks = [torch.compile(network, dynamic=False) for network in networks]
        generator.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            networks[1](networks[0](z, noise)).sum().backward()
        gradients.append(
            torch.cat([value.grad.flatten() for value in generator.parameters() if value.grad is not None])
        )
    assert torch.cosine_similarity(*gradients, dim=0) > 0.99

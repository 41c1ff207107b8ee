"""The enhancer, its discriminators, and the distillation losses."""

from __future__ import annotations

from typing import Any, Literal

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from helpers import rand
from lumiface import losses
from lumiface.losses.distillation import IntraReading
from lumiface.methods.prior3d.discriminator import (
    DualDiscriminator,
    adversarial_loss,
    box_blur,
    edge_strength,
)
from lumiface.methods.prior3d.enhancer import Enhancer, EnhancerConfig
from lumiface.methods.prior3d.fusion import PriorFusion

Fusion = Literal["module", "concat"]
FUSIONS: list[Fusion] = ["module", "concat"]


def small(fusion: Fusion = "module") -> Enhancer:
    torch.manual_seed(0)
    return Enhancer(EnhancerConfig(widths=(8, 16, 24), fusion=fusion))


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("size", [(32, 32), (37, 50), (8, 64)])
def test_any_input_size_is_kept(fusion: Fusion, size: tuple[int, int]) -> None:
    enhancer, low = small(fusion).eval(), rand(2, 3, *size)
    rendering, depth = rand(2, 3, 16, 16, seed=1), rand(2, 1, 16, 16, seed=2)
    batch = enhancer(low, rendering, depth)
    assert batch.shape == low.shape
    single = enhancer(low[1:], rendering[1:], depth[1:])
    torch.testing.assert_close(single, batch[1:], atol=1e-5, rtol=1e-4)
    assert not any("BatchNorm" in type(layer).__name__ for layer in enhancer.modules())


@pytest.mark.parametrize("fusion", FUSIONS)
def test_the_output_depends_on_rendering_and_depth(fusion: Fusion) -> None:
    enhancer, low = small(fusion), rand(1, 3, 32, 32)
    rendering, depth = rand(1, 3, 16, 16, seed=1), rand(1, 1, 16, 16, seed=2)
    output = enhancer(low, rendering, depth)
    assert not torch.allclose(output, enhancer(low, rendering.flip(-1), depth))
    assert not torch.allclose(output, enhancer(low, rendering, depth.flip(-1)))
    output.mean().backward()
    assert all(parameter.grad is not None for parameter in enhancer.parameters())


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_constant_image_stays_constant(fusion: Fusion) -> None:
    enhancer, grey = small(fusion), torch.full((1, 3, 192, 192), 0.2)
    with torch.no_grad():
        output = enhancer(grey, torch.full((1, 3, 16, 16), 0.6), torch.full((1, 1, 16, 16), 0.5))
    middle = output[..., 80:112, 80:112]  # unaffected by padding
    assert middle.flatten(2).std(dim=2).max() < 1e-5


def test_it_learns_to_brighten(dark: tuple[Tensor, Tensor]) -> None:
    low, bright = (image[..., ::4, ::4] for image in dark)
    enhancer, depth = small(), torch.zeros(1, 1, 16, 16)
    rendering = F.interpolate(bright, size=(16, 16), mode="area")
    optimizer = torch.optim.Adam(enhancer.parameters(), 2e-3)
    for _ in range(60):
        loss = F.l1_loss(enhancer(low, rendering, depth), bright)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.4 * F.l1_loss(low, bright)


# discriminators -----------------------------------------------------------------------------------------


def test_inputs_of_the_discriminators_are_colours_and_edges() -> None:
    image = rand(1, 3, 64, 64)
    assert box_blur(image).shape == image.shape
    assert box_blur(image).std() < 0.2 * image.std()
    torch.testing.assert_close(box_blur(torch.full((1, 3, 20, 20), 0.3)), torch.full((1, 3, 20, 20), 0.3))
    torch.testing.assert_close(edge_strength(image + 0.2), edge_strength(image), atol=1e-5, rtol=1e-4)
    ramp = (0.01 * torch.arange(32.0)).expand(1, 3, 32, 32)
    inner = edge_strength(ramp)[..., 2:-2, 2:-2]
    torch.testing.assert_close(inner, torch.full_like(inner, 0.01), atol=1e-4, rtol=0)


def test_discriminators_learn_to_separate_dark_and_bright(dark: tuple[Tensor, Tensor]) -> None:
    low, bright = (image[..., ::2, ::2] for image in dark)
    torch.manual_seed(0)
    discriminators = DualDiscriminator(width=8)
    optimizer = torch.optim.Adam(discriminators.parameters(), 5e-3)
    for _ in range(40):
        real = adversarial_loss(discriminators(bright, bright), 1.0)
        loss = real + adversarial_loss(discriminators(low, bright), 0.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    real_logits, fake_logits = discriminators(bright, bright), discriminators(low, bright)
    for real_logit, fake_logit in zip(real_logits, fake_logits, strict=True):
        assert real_logit.mean() > fake_logit.mean() + 0.2
    assert adversarial_loss([torch.ones(2, 1, 3, 3), torch.ones(2, 1, 3, 3)], 1.0) == 0


# distillation -------------------------------------------------------------------------------------------


def features(seed: int, **options: Any) -> list[Tensor]:
    return [rand(2, 4, 3, 5, seed=seed, **options) - 0.5, rand(2, 6, 2, 2, seed=seed + 50, **options) - 0.5]


def test_intra_is_the_sum_over_positions() -> None:
    s_p, s_u, t_p, t_u = (features(seed) for seed in range(4))
    expected = 0.0
    for layer in range(2):
        b, _, h, w = s_p[layer].shape
        for row in range(b):
            maps: list[Tensor] = []
            for one, other in ((t_p, t_u), (s_p, s_u)):
                a, c = one[layer][row].flatten(1), other[layer][row].flatten(1)
                cosine = (a * c).sum(0) / (a.norm(dim=0) * c.norm(dim=0))
                maps.append(torch.softmax(1 - cosine, dim=0))
            expected += -(maps[0] * maps[1].log()).sum().item() / (h * w) / b
    assert losses.intra_consistency_loss(s_p, s_u, t_p, t_u).item() == pytest.approx(expected, rel=1e-4)
    same = losses.intra_consistency_loss(t_p, t_u, t_p, t_u)
    assert same < losses.intra_consistency_loss(s_p, s_u, t_p, t_u)


READINGS = [IntraReading(temperature=0.05), IntraReading(reduction="sum"), IntraReading(over="channels")]


@pytest.mark.parametrize("reading", READINGS, ids=str)
def test_other_readings_of_intra_act(reading: IntraReading) -> None:
    """At the size of VGG's features in training, the gradient by the letters of the paper is near nothing."""
    shape = (1, 64, 32, 32)
    sets = [[rand(*shape, seed=seed, dtype=torch.float64) - 0.5] for seed in range(4)]

    def gradient(read: IntraReading) -> float:
        student = sets[0][0].clone().requires_grad_()
        losses.intra_consistency_loss([student], *sets[1:], read).backward()
        assert student.grad is not None
        return float(student.grad.norm())

    assert gradient(reading) > (3.0 if reading.over == "channels" else 15.0) * gradient(IntraReading())
    if reading.over == "channels":
        s_p, s_u, t_p, t_u = (features[0][0].flatten(1) for features in sets)
        maps = [torch.softmax(1 - F.cosine_similarity(a, b, dim=1), 0) for a, b in ((t_p, t_u), (s_p, s_u))]
        expected = -(maps[0] * maps[1].log()).sum() / 64
        assert losses.intra_consistency_loss(*sets, reading).item() == pytest.approx(expected.item())


@pytest.mark.parametrize("reading", READINGS, ids=str)
def test_gradients_of_other_readings(reading: IntraReading) -> None:
    sets = [features(seed, dtype=torch.float64) for seed in range(4)]
    layers = tuple(layer.requires_grad_() for layer in (*sets[0], *sets[1]))

    def student_loss(*layers: Tensor) -> Tensor:
        return losses.intra_consistency_loss(layers[:2], layers[2:], sets[2], sets[3], reading)

    assert torch.autograd.gradcheck(student_loss, layers)


def test_a_bypass_keeps_scale_and_offset_of_the_features() -> None:
    torch.manual_seed(0)
    features_, rendering, depth = rand(1, 8, 6, 6), rand(1, 3, 6, 6, seed=1), rand(1, 1, 6, 6, seed=2)
    for bypass, changes in ((False, False), (True, True)):
        module = PriorFusion(8, bypass=bypass)
        moved = module(3.0 * features_ + 5.0, rendering, depth) - module(features_, rendering, depth)
        assert (moved.abs().max().item() > 1.0) == changes
    assert "module-bypass" in str(EnhancerConfig.model_fields["fusion"].annotation)
    network = Enhancer(EnhancerConfig(widths=(8, 16, 24), fusion="module-bypass"))
    assert all(block.bypass for block in network.encode)


def test_inter_is_the_difference_of_gram_matrices() -> None:
    s_p, s_u, t_p, t_u = (features(seed) for seed in range(4))
    expected = 0.0
    for layer in range(2):
        _, c, h, w = s_p[layer].shape
        for row in range(2):
            grams: list[Tensor] = []
            for t, s in ((t_u, s_u), (t_p, s_p)):
                d = (t[layer][row] - s[layer][row]).flatten(1)
                grams.append(d @ d.T / (c * h * w))
            expected += torch.linalg.matrix_norm(grams[0] - grams[1]).item() / 2
    assert losses.inter_consistency_loss(s_p, s_u, t_p, t_u).item() == pytest.approx(expected, rel=1e-4)
    assert losses.inter_consistency_loss(t_p, t_u, t_p, t_u) < 1e-5


@pytest.mark.parametrize("loss", [losses.intra_consistency_loss, losses.inter_consistency_loss])
def test_only_the_student_gets_gradients(loss: Any) -> None:
    sets = [features(seed, dtype=torch.float64) for seed in range(4)]
    for layer in (layer for layers in sets for layer in layers):
        layer.requires_grad_()
    loss(*sets).backward()
    assert all(layer.grad is not None and layer.grad.abs().sum() > 0 for layer in (*sets[0], *sets[1]))
    assert all(layer.grad is None for layer in (*sets[2], *sets[3]))
    fixed = [layer.detach() for layer in (*sets[2], *sets[3])]

    def student_loss(*layers: Tensor) -> Tensor:
        return loss(layers[:2], layers[2:], fixed[:2], fixed[2:])

    assert torch.autograd.gradcheck(student_loss, (*sets[0], *sets[1]))
    with pytest.raises(ValueError, match="same shapes"):
        loss(sets[0], sets[1][:1], sets[2], sets[3])

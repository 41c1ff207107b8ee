from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError

from lumiface.degradations.blur import blur, blur_radius, gaussian_kernels
from lumiface.degradations.frr import (
    PARAMETERS,
    FRRConfig,
    FRRParameters,
    apply_frr,
    apply_frr_with,
    sample_frr,
)
from lumiface.degradations.resample import resize
from lumiface.degradations.rescale import enlarge, reduced_sizes, repeat_edges, shrink

NOTHING = {
    "gamma": (1, 1), "gain": (1, 1), "sigma": (0, 0), "factor": (1, 1), "shot": (0, 0), "read": (0, 0),
    "quality": (100, 100), "halve_chroma": False,
}  # fmt: skip


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sampled(count: int = 1, **settings: object) -> FRRParameters:
    return sample_frr(count, FRRConfig(**(NOTHING | settings)), generator(), "cpu")


# --- blur -------------------------------------------------------------------------------------------------


def test_kernels_have_the_moments_that_were_asked_for():
    sigma_x, sigma_y, angle = torch.tensor([3.0, 2.0]), torch.tensor([1.0, 2.0]), torch.tensor([0.5, 1.0])
    kernels = gaussian_kernels(sigma_x.double(), sigma_y.double(), angle.double(), 20)
    offset = torch.arange(-20, 21, dtype=torch.float64)
    x, y = offset[None, :].expand(41, -1), offset[:, None].expand(-1, 41)
    for kernel, sx, sy, theta in zip(kernels, sigma_x, sigma_y, angle, strict=True):
        assert float(kernel.sum()) == pytest.approx(1.0)
        covariance = torch.stack([(kernel * a * b).sum() for a, b in ((x, x), (x, y), (y, y))])
        c, s = theta.cos(), theta.sin()
        expected = [c**2 * sx**2 + s**2 * sy**2, c * s * (sx**2 - sy**2), s**2 * sx**2 + c**2 * sy**2]
        assert covariance.tolist() == pytest.approx([float(w) for w in expected], abs=1e-3)


def test_blur_takes_each_picture_its_own_kernel_and_0_is_no_blur(astronaut):
    pictures = astronaut[:, :, 100:140, 100:150].expand(2, -1, -1, -1)
    sigma = torch.tensor([0.0, 2.0])
    soft = blur(pictures, gaussian_kernels(sigma, sigma, torch.zeros(2), blur_radius(2.0)))
    assert torch.equal(soft[0], pictures[0])
    line = torch.exp(
        -0.125 * torch.arange(-6.0, 7.0) ** 2
    )  # an independent computation: along one axis after
    line = (line / line.sum())[None, None]  # the other
    planes = F.pad(pictures[1:].transpose(0, 1), (6, 6, 6, 6), mode="replicate")
    twice = F.conv2d(F.conv2d(planes, line[:, :, None, :]), line[:, :, :, None]).transpose(0, 1)
    torch.testing.assert_close(soft[1:], twice, atol=1e-6, rtol=0)
    with pytest.raises(ValueError, match="odd side"):
        blur(pictures, torch.ones(2, 4, 4))


# --- down and up ------------------------------------------------------------------------------------------


def test_every_picture_is_resized_as_one_alone_would_be(astronaut):
    pictures = astronaut[:, :, 60:124, 150:230].double().expand(4, -1, -1, -1)
    sides = reduced_sizes(64, 80, torch.tensor([1.0, 1.3, 2.0, 3.9]))
    assert [side.tolist() for side in sides] == [[64, 49, 32, 16], [80, 62, 40, 21]]
    small = shrink(pictures, sides)
    large = enlarge(small, sides)
    for index, size in enumerate(zip(sides[0].tolist(), sides[1].tolist(), strict=True)):
        expected = resize(pictures[index : index + 1], size)
        torch.testing.assert_close(
            small[index : index + 1, :, : size[0], : size[1]], expected, atol=2e-6, rtol=0
        )
        torch.testing.assert_close(large[index : index + 1], resize(expected, (64, 80)), atol=2e-6, rtol=0)
    torch.testing.assert_close(repeat_edges(small, sides), small)
    torch.testing.assert_close(small[2, :, 31:, 39:], small[2, :, 31:32, 39:40].expand(-1, 33, 41))


# --- the whole --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise_at", ["full", "small"])
def test_no_damage_leaves_the_picture(astronaut, noise_at):
    patch = astronaut[:, :, 100:150, 100:164]
    same = apply_frr(patch, sampled(noise_at=noise_at), generator())
    assert (same - patch).abs().max() < 4 / 255  # rounding to YCbCr is the rest


def test_the_formula_by_hand():
    grey = torch.full((2, 3, 32, 32), 0.5)
    dark = apply_frr(grey, sampled(2, gamma=(2, 2), gain=(0.8, 0.8)), generator())
    assert dark.unique().tolist() == pytest.approx([51 / 255])  # 0.8 · 0.5²
    p = replace(sampled(2), shot=torch.tensor([0.0, 0.002]), read=torch.tensor([0.04, 0.0]))
    noise = apply_frr(grey.repeat(1, 1, 4, 4), p, generator())[:, 1] - 0.5
    assert noise.std((1, 2)).tolist() == pytest.approx([0.04, 0.001**0.5], rel=0.1)


def test_draws_stay_in_their_ranges_and_fill_them():
    config = FRRConfig()
    p = sample_frr(4000, config, generator(), "cpu")
    assert len(p) == 4000
    for name in ("gamma", "gain", "factor", "shot", "read", "quality"):
        (low, high), values = getattr(config, name), getattr(p, name).double()
        assert low <= values.min() <= low + 0.02 * (high - low), name
        assert high - 0.02 * (high - low) <= values.max() <= high, name
    assert p.quality.dtype == torch.int64
    assert {60, 95} <= set(p.quality.tolist())
    for sigma in (p.sigma_x, p.sigma_y):
        assert config.sigma[0] <= sigma.min()
        assert sigma.max() <= config.sigma[1]
    assert (p.sigma_x == p.sigma_y).double().mean().item() == pytest.approx(0.5, abs=0.03)
    assert p.as_dict(3) == {name: getattr(p, name)[3].item() for name in PARAMETERS}
    narrow = sample_frr(4000, FRRConfig(gamma=(2.0, 2.0)), generator(), "cpu")
    assert torch.equal(narrow.quality, p.quality)  # one range changes nothing else


@pytest.mark.parametrize("noise_at", ["full", "small"])
def test_the_same_parameters_and_noise_make_the_same_again_one_by_one(astronaut, noise_at):
    pictures = torch.cat([astronaut[:, :, :64, 100:180], astronaut[:, :, 60:124, 150:230]])
    config = FRRConfig(noise_at=noise_at)
    p = sample_frr(2, config, generator(5), "cpu")
    torch.manual_seed(0)
    first = apply_frr(pictures, p, generator(1))
    torch.manual_seed(1)
    assert torch.equal(first, apply_frr(pictures, p, generator(1)))
    assert not torch.equal(first, apply_frr(pictures, p, generator(2)))
    assert (first * 255 - (first * 255).round()).abs().max() < 1e-4
    assert (first.mean((1, 2, 3)) < 0.6 * pictures.mean((1, 2, 3))).all()
    normal = torch.randn(pictures.shape, generator=generator(1), dtype=torch.float64)
    second = FRRParameters(
        **{name: getattr(p, name)[1:] for name in PARAMETERS}, radius=p.radius, noise_at=noise_at
    )
    whole = apply_frr_with(pictures.double(), p, normal)
    alone = apply_frr_with(pictures[1:].double(), second, normal[1:])
    torch.testing.assert_close(whole[1:], alone, atol=1.01 / 255, rtol=0)


def test_noise_at_the_small_size_is_coarse(astronaut):
    grey = torch.full((1, 3, 96, 96), 0.5)
    damage = {"factor": (3, 3), "read": (0.1, 0.1)}

    def roughness(noise_at: str) -> float:
        noise = apply_frr(grey, sampled(noise_at=noise_at, **damage), generator())
        return float(noise.diff(dim=-1).std() / noise.std())

    assert roughness("small") < 0.6 * roughness("full")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"gamma": (3.0, 1.0)}, "gamma: need 0.001 <= low <= high"),
        ({"factor": (0.5, 2.0)}, "factor: need 1 <= low"),
        ({"quality": (10, 101)}, "<= 100"),
        ({"read": (-0.1, 0.1)}, "read: need 0 <= low"),
        ({"sigma": (0.0, float("inf"))}, "sigma"),
        ({"fog": (0, 1)}, "fog"),
        ({"noise_at": "between"}, "noise_at"),
    ],
    ids=str,
)
def test_impossible_ranges_are_refused(wrong, message):
    with pytest.raises(ValidationError, match=message):
        FRRConfig(**wrong)

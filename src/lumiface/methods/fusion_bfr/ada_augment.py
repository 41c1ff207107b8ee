"""Adaptive discriminator augmentation (ADA): keeps a discriminator from overfitting to few faces.

Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data", §2-3 and appendix B: the
discriminator sees real and generated faces through the same random transforms, each applied with probability
p, and p rises while the discriminator overfits to the real ones. Of the paper's transforms the most effective
ones are implemented: horizontal flip, rotation by 90°, translation, scaling, rotation; brightness, contrast,
hue and saturation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from lumiface.core.settings import Settings


class AugmentConfig(Settings):
    """Strength of the augmentation, and how p is controlled."""

    old_names: ClassVar[Mapping[str, str]] = {"most": "max_p", "turns": "rot90"}

    target: float = Field(
        default=0.6, ge=0.0, le=1.0, description="target of r_t, the mean sign of the logits of real faces"
    )
    images: int = Field(
        default=100_000, ge=1, description="number of faces over which p may rise from 0 to 1"
    )
    max_p: float = Field(
        default=0.8,
        ge=0.0,
        le=1.0,
        description="upper limit of p: beyond it the transforms leak into the faces",
    )
    rot90: bool = Field(
        default=False, description="rotate by multiples of 90°, too; off, since faces are always upright"
    )


class AdaptiveProbability:
    """p, controlled by the overfitting heuristic r_t (equation 1).

    Attributes:
        value: p.
    """

    def __init__(self, config: AugmentConfig, value: float = 0.0) -> None:
        self.config, self.value = config, value

    def observe(self, real: Tensor) -> None:
        """Update p with the logits (B,) of real faces: it rises where E[sign] is above the target."""
        overfit = float(real.sign().mean())  # r_t
        step = len(real) / self.config.images
        self.value = min(
            max(self.value + math.copysign(step, overfit - self.config.target), 0.0), self.config.max_p
        )


def augment(images: Tensor, p: float, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Transform each image independently; differentiable, since gradients pass through to the generator.

    Args:
        images: (B, 3, H, H) in about [-1, 1].
        p: probability of each transform.
        config: which transforms there are.
        generator: source of the random numbers, on its own device.

    Returns:
        The same shape; with p = 0 the images themselves.
    """
    if p <= 0.0:
        return images
    count, device = len(images), images.device
    sampler = _Sampler(count, p, generator, device)
    # Colour first, then geometry: the colour transform is per pixel, so the order does not matter.
    matrix, offset = _colour_transform(sampler)
    recoloured = (
        torch.einsum("bij,bjyx->biyx", matrix.to(images), images) + offset.to(images)[:, :, None, None]
    )
    affine = _geometric_transform(sampler, config)
    grid = F.affine_grid(affine[:, :2].to(images), list(images.shape), align_corners=False)
    return F.grid_sample(recoloured, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


class _Sampler:
    """Random parameters for a batch; a transform that is not applied gets its neutral value."""

    def __init__(self, count: int, p: float, generator: torch.Generator, device: torch.device) -> None:
        self.count, self.p, self.generator, self.device = count, p, generator, device

    def uniform(self, low: float, high: float, neutral: float) -> Tensor:
        return self._with_probability(low + (high - low) * self._rand(), neutral)

    def log_normal(self, deviation: float) -> Tensor:
        """2^N(0, deviation²), or 1."""
        return self._with_probability(torch.exp2(deviation * self._randn()), 1.0)

    def normal(self, deviation: float) -> Tensor:
        return self._with_probability(deviation * self._randn(), 0.0)

    def _with_probability(self, values: Tensor, neutral: float) -> Tensor:
        return torch.where(self._rand() < self.p, values, torch.full_like(values, neutral)).to(self.device)

    def _rand(self) -> Tensor:
        return torch.rand(self.count, generator=self.generator, device=self.generator.device)

    def _randn(self) -> Tensor:
        return torch.randn(self.count, generator=self.generator, device=self.generator.device)


def _geometric_transform(sampler: _Sampler, config: AugmentConfig) -> Tensor:
    """(B, 3, 3): output coordinates -> input coordinates, in [-1, 1]."""
    flip = torch.where(sampler.uniform(0.0, 1.0, 0.0) > 0.5, -1.0, 1.0)
    quarters = sampler.uniform(0.0, 4.0, 0.0).floor() if config.rot90 else torch.zeros_like(flip)
    angle = math.pi * sampler.uniform(-0.08, 0.08, 0.0) + 0.5 * math.pi * quarters
    scale, stretch = sampler.log_normal(0.2), sampler.log_normal(0.1)
    zero, one = torch.zeros_like(flip), torch.ones_like(flip)
    rotation = _matrix((angle.cos(), -angle.sin(), zero), (angle.sin(), angle.cos(), zero), (zero, zero, one))
    scaling = _matrix((flip * scale * stretch, zero, zero), (zero, scale / stretch, zero), (zero, zero, one))
    translation = _matrix(
        (one, zero, sampler.normal(0.125)), (zero, one, sampler.normal(0.125)), (zero, zero, one)
    )
    return rotation @ scaling @ translation


def _colour_transform(sampler: _Sampler) -> tuple[Tensor, Tensor]:
    """(B, 3, 3) and (B, 3): the affine map of colours in [-1, 1]."""
    brightness, contrast = sampler.normal(0.2), sampler.log_normal(0.5)
    hue, saturation = math.pi * sampler.uniform(-0.1, 0.1, 0.0), sampler.log_normal(0.5)
    grey = torch.full((3, 3), 1.0 / 3.0, device=sampler.device)  # projection onto the grey axis
    # Rodrigues' rotation about the grey axis, by the hue; saturation scales what is perpendicular to it.
    cross = torch.tensor(
        [[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]], device=sampler.device
    ) / math.sqrt(3.0)
    perpendicular = torch.eye(3, device=sampler.device) - grey
    cosine, sine = hue.cos()[:, None, None], hue.sin()[:, None, None]
    rotated = grey + saturation[:, None, None] * (cosine * perpendicular + sine * cross)
    matrix = contrast[:, None, None] * rotated
    return matrix, brightness[:, None].expand(-1, 3)


def _matrix(*rows: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)

"""Adaptive discriminator augmentation (ADA): keeps a discriminator from overfitting to few faces.

Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data", §2-3 and appendix B: the
discriminator sees real and generated faces through the same random transforms, each applied with probability
p, and p rises while the discriminator overfits to the real ones. Of the paper's transforms the most effective
ones are implemented: horizontal flip, rotation by 90°, translation, scaling, rotation; brightness, contrast,
hue and saturation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from lumiface.core.draws import RandomSource, rand, randn
from lumiface.core.settings import Settings
from lumiface.methods.fusion_bfr.bilinear_sampling import sample_reflected
from lumiface.methods.fusion_bfr.precision import float32_math, to_float32


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


SampleTransforms = Callable[[int, Tensor, AugmentConfig, RandomSource], tuple[Tensor, Tensor, Tensor]]
"""See `sample_transforms`."""


@torch.no_grad()
def adapt_probability(p: Tensor, real: Tensor, config: AugmentConfig) -> None:
    """Update p by the overfitting heuristic r_t (equation 1): it rises where r_t is above the target.

    The paper adds up the signs of four batches; here each batch changes p, by a quarter of that. So there is
    no statistic besides p, and nothing to read from the device.

    Args:
        p: scalar float64, changed in place.
        real: logits (B,) of real faces, on the same device.
        config: target and speed.
    """
    overfit = real.sign().mean().to(p.dtype)  # r_t
    step = torch.full_like(p, len(real) / config.images)
    p.add_(step.copysign(overfit - config.target)).clamp_(0.0, config.max_p)


def augment(
    images: Tensor,
    p: Tensor,
    config: AugmentConfig,
    generator: RandomSource,
    sample: SampleTransforms | None = None,
) -> Tensor:
    """Transform each image independently; differentiable, also twice, as R1 needs on every device.

    Args:
        images: (B, 3, H, H) in about [-1, 1].
        p: scalar, the probability of each transform.
        config: which transforms there are.
        generator: source of the random numbers.
        sample: `sample_transforms`, which is the default, or the same compiled.

    `images`, `p` and `generator` are on one device.

    Returns:
        The same shape; with p = 0 the images themselves, on a GPU up to rounding.
    """
    # Reading p from a GPU would wait for all that is queued there, so there all is computed, even at p = 0.
    if p.device.type == "cpu" and p <= 0.0:
        return images
    images = to_float32(images)
    with float32_math(images):
        matrix, offset, affine = (sample or sample_transforms)(len(images), p, config, generator)
        recoloured = (
            torch.einsum("bij,bjyx->biyx", matrix.to(images), images) + offset.to(images)[:, :, None, None]
        )
        grid = F.affine_grid(affine.to(images), list(images.shape), align_corners=False)
        return sample_reflected(recoloured, grid)


def sample_transforms(
    count: int, p: Tensor, config: AugmentConfig, generator: RandomSource
) -> tuple[Tensor, Tensor, Tensor]:
    """The transforms of a batch: many small operations, of which `torch.compile` makes few kernels.

    Returns:
        (count, 3, 3) and (count, 3): the affine map of colours in [-1, 1]; (count, 2, 3): that of output to
        input coordinates in [-1, 1].
    """
    sampler = _Sampler(count, p, generator)
    # Colour first, then geometry: the colour transform is per pixel, so the order does not matter.
    matrix, offset = _colour_transform(sampler)
    return matrix, offset, _geometric_transform(sampler, config)[:, :2]


class _Sampler:
    """Random parameters for a batch; a transform that is not applied gets its neutral value."""

    def __init__(self, count: int, p: Tensor, generator: RandomSource) -> None:
        self.count, self.p, self.generator, self.device = count, p, generator, generator.device

    def uniform(self, low: float, high: float, neutral: float) -> Tensor:
        return self._with_probability(low + (high - low) * self._rand(), neutral)

    def log_normal(self, deviation: float) -> Tensor:
        """2^N(0, deviation²), or 1."""
        return self._with_probability(torch.exp2(deviation * self._randn()), 1.0)

    def normal(self, deviation: float) -> Tensor:
        return self._with_probability(deviation * self._randn(), 0.0)

    def _with_probability(self, values: Tensor, neutral: float) -> Tensor:
        return torch.where(self._rand() < self.p, values, neutral)

    def _rand(self) -> Tensor:
        return rand((self.count,), self.generator)

    def _randn(self) -> Tensor:
        return randn((self.count,), self.generator)


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
    identity = torch.eye(3, device=sampler.device)
    perpendicular = identity - grey
    # Cross product with (1, 1, 1) / √3; from the identity, since a list would be copied from the CPU.
    cross = (identity.roll(1, dims=0) - identity.roll(-1, dims=0)) / math.sqrt(3.0)
    cosine, sine = hue.cos()[:, None, None], hue.sin()[:, None, None]
    rotated = grey + saturation[:, None, None] * (cosine * perpendicular + sine * cross)
    matrix = contrast[:, None, None] * rotated
    return matrix, brightness[:, None].expand(-1, 3)


def _matrix(*rows: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)

"""Adaptive augmentation: a critic that sees few faces learns them by heart, unless they are changed (ADA).

Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data", §2-3 and appendix B: the
critic sees real and made faces through the same random changes, each with probability p, and p rises while it
is too sure of the real ones. Of the paper's changes those that gain most are here: mirroring, quarter turns,
shifts, scaling, rotation; brightness, contrast, hue and saturation.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from lumiface.core.settings import Settings


class AugmentConfig(Settings):
    """How strong the changes are, and how the probability is led."""

    target: float = Field(
        default=0.6, ge=0.0, le=1.0, description="of the sign of the critic's verdicts on real faces"
    )
    images: int = Field(default=100_000, ge=1, description="faces over which p may rise from 0 to 1")
    max_p: float = Field(
        default=0.8, ge=0.0, le=1.0, description="p rises no further: changes would show in faces"
    )
    turns: bool = Field(default=False, description="quarter turns, too; faces are never upside down")


class AdaptiveProbability:
    """p, led by how sure the critic is of the real faces (equation 1, r_t).

    Attributes:
        value: p.
    """

    def __init__(self, config: AugmentConfig, value: float = 0.0) -> None:
        self.config, self.value = config, value

    def observe(self, real: Tensor) -> None:
        """Take the critic's verdicts (B,) on real faces: p rises where E[sign] is over the target."""
        sure = float(real.sign().mean())
        step = len(real) / self.config.images
        self.value = min(
            max(self.value + math.copysign(step, sure - self.config.target), 0.0), self.config.max_p
        )


def augment(pictures: Tensor, p: float, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Change each picture in its own way; can be differentiated, so that it also stands before the generator.

    Args:
        pictures: (B, 3, H, H) in about [-1, 1].
        p: of each change.
        generator: draws, where it lives.

    Returns:
        The same shape; p = 0 gives the pictures themselves.
    """
    if p <= 0.0:
        return pictures
    count, device = len(pictures), pictures.device
    draw = _Draw(count, p, generator, device)
    # Pixels first, then places: what a place holds does not change by where it is looked up.
    matrix, offset = _colours(draw)
    coloured = (
        torch.einsum("bij,bjyx->biyx", matrix.to(pictures), pictures) + offset.to(pictures)[:, :, None, None]
    )
    place = _places(draw, config)
    grid = F.affine_grid(place[:, :2].to(pictures), list(pictures.shape), align_corners=False)
    return F.grid_sample(coloured, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


class _Draw:
    """Random numbers for a batch; a change that is not drawn gets its neutral value."""

    def __init__(self, count: int, p: float, generator: torch.Generator, device: torch.device) -> None:
        self.count, self.p, self.generator, self.device = count, p, generator, device

    def uniform(self, low: float, high: float, neutral: float) -> Tensor:
        return self._chosen(low + (high - low) * self._unit(), neutral)

    def log_normal(self, deviation: float) -> Tensor:
        """2^N(0, deviation²), or 1."""
        return self._chosen(torch.exp2(deviation * self._normal()), 1.0)

    def normal(self, deviation: float) -> Tensor:
        return self._chosen(deviation * self._normal(), 0.0)

    def _chosen(self, values: Tensor, neutral: float) -> Tensor:
        return torch.where(self._unit() < self.p, values, torch.full_like(values, neutral)).to(self.device)

    def _unit(self) -> Tensor:
        return torch.rand(self.count, generator=self.generator, device=self.generator.device)

    def _normal(self) -> Tensor:
        return torch.randn(self.count, generator=self.generator, device=self.generator.device)


def _places(draw: _Draw, config: AugmentConfig) -> Tensor:
    """(B, 3, 3): where each place of the result lies in the picture, in [-1, 1]."""
    mirror = torch.where(draw.uniform(0.0, 1.0, 0.0) > 0.5, -1.0, 1.0)
    quarters = draw.uniform(0.0, 4.0, 0.0).floor() if config.turns else torch.zeros_like(mirror)
    angle = math.pi * draw.uniform(-0.08, 0.08, 0.0) + 0.5 * math.pi * quarters
    scale, stretch = draw.log_normal(0.2), draw.log_normal(0.1)
    zero, one = torch.zeros_like(mirror), torch.ones_like(mirror)
    turn = _matrix((angle.cos(), -angle.sin(), zero), (angle.sin(), angle.cos(), zero), (zero, zero, one))
    size = _matrix((mirror * scale * stretch, zero, zero), (zero, scale / stretch, zero), (zero, zero, one))
    shift = _matrix((one, zero, draw.normal(0.125)), (zero, one, draw.normal(0.125)), (zero, zero, one))
    return turn @ size @ shift


def _colours(draw: _Draw) -> tuple[Tensor, Tensor]:
    """(B, 3, 3) and (B, 3): what becomes of a colour in [-1, 1]."""
    brightness, contrast = draw.normal(0.2), draw.log_normal(0.5)
    hue, saturation = math.pi * draw.uniform(-0.1, 0.1, 0.0), draw.log_normal(0.5)
    grey = torch.full((3, 3), 1.0 / 3.0, device=draw.device)  # onto the axis of greys
    # Rodrigues' rotation about that axis, by the hue; across it, colours grow with the saturation.
    cross = torch.tensor(
        [[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]], device=draw.device
    ) / math.sqrt(3.0)
    across = torch.eye(3, device=draw.device) - grey
    cosine, sine = hue.cos()[:, None, None], hue.sin()[:, None, None]
    turned = grey + saturation[:, None, None] * (cosine * across + sine * cross)
    matrix = contrast[:, None, None] * turned
    return matrix, brightness[:, None].expand(-1, 3)


def _matrix(*rows: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)

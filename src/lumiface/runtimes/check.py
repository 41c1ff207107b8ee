"""Whether an engine gives what torch gives."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.runtimes.names import Precision

Run = Callable[[Tensor], Tensor]
"""(B, 3, H, W) in [0, 1] -> (B, 3, s·H, s·W)."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How far an engine's outputs are from torch's, both clipped to [0, 1].

    Attributes:
        worst: largest difference of one value, levels of 255.
        psnr: of the least equal picture, dB; infinite where all are equal.
    """

    worst: float
    psnr: float

    def holds(self, precision: Precision) -> bool:
        """Whether the outputs are as near as the precision promises."""
        most, least = BOUNDS[precision]
        return self.worst <= most and self.psnr >= least

    def __str__(self) -> str:
        return f"worst pixel {self.worst:.1f}/255, {self.psnr:.1f} dB"


BOUNDS: dict[Precision, tuple[float, float]] = {"float32": (2.0, 50.0), "bf16": (4.0, 45.0)}
"""What each precision promises: the largest difference, levels of 255, and the least PSNR, dB."""


@torch.inference_mode()
def compare(reference: Run, engine: Run, pictures: Sequence[Tensor]) -> Parity:
    """Run both over the pictures; an output of another shape, or not finite, is infinitely far."""
    worst, least = 0.0, math.inf
    for picture in pictures:
        expected, found = reference(picture).clamp(0.0, 1.0), engine(picture).clamp(0.0, 1.0)
        if expected.shape != found.shape or not found.isfinite().all():
            return Parity(math.inf, -math.inf)
        worst = max(worst, 255.0 * (found - expected).abs().max().item())
        mse = F.mse_loss(found.double(), expected.double()).item()
        least = min(least, -10.0 * math.log10(mse) if mse > 0.0 else math.inf)
    return Parity(worst, least)


def is_faithful(reference: Run, engine: Run, precision: Precision, least: int) -> bool:
    """Whether an engine keeps what the precision promises, judged by pictures made for it.

    Photographs differ up to twice as much in bf16 as these pictures do, so half the bound is asked for.

    Args:
        least: smallest side that the network takes, pixels.
    """
    if precision == "float32":
        return compare(reference, engine, probes(least)).holds(precision)
    parity = compare(reference, engine, probes(least, LARGE, (0.1, 0.35, 0.9)))
    return Parity(2.0 * parity.worst, parity.psnr - 6.0).holds(precision)


SMALL = ((32, 32), (40, 24), (17, 23))
LARGE = ((32, 32), (64, 64), (40, 72))
"""Height and width of the pictures: for a quick comparison, and for a thorough one."""


def probes(
    least: int, sizes: Sequence[tuple[int, int]] = SMALL, levels: Sequence[float] = (0.35,)
) -> list[Tensor]:
    """Pictures for a comparison: smooth shapes with noise, the last one a batch of two.

    Args:
        least: smallest side that the network takes, pixels.
        sizes: height and width.
        levels: brightness, 0 to 1; each size is made at each.

    Returns:
        (1, 3, H, W) each, but the last (2, 3, H, W), on the 8-bit grid in [0, 1].
    """
    found = [
        _picture(max(height, least), max(width, least), level, seed)
        for seed, (height, width) in enumerate(sizes)
        for level in levels
    ]
    last = found.pop()
    return [*found, torch.cat([last, last.flip(-1) * 0.5])]


def _picture(height: int, width: int, level: float, seed: int) -> Tensor:
    y = torch.linspace(0.0, 1.0, height)[:, None]
    x = torch.linspace(0.0, 1.0, width)[None]
    planes = [
        0.5 + 0.4 * torch.sin(3 * x + seed) * torch.cos(4 * y),
        0.45 + 0.35 * torch.cos(5 * x * y + seed),
        0.4 + 0.3 * torch.sin(6 * y - seed) * torch.cos(2 * x),
    ]
    noise = torch.randn(3, height, width, generator=torch.Generator().manual_seed(seed))
    rgb = level * torch.stack(planes) + 0.015 * noise
    return (rgb.clamp(0.0, 1.0) * 255).round()[None] / 255

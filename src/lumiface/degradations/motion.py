"""Motion blur: the picture averaged along a straight or curved path, one kernel per picture of a batch.

The path has a length, a heading in its middle, and an angle by which the heading turns from one end to the
other: a straight line for 0, else an arc of a circle. It is run through at constant speed.

NOTE(paper): DFDNet (Li et al., ECCV 2020) draws from 32 recorded kernels of hand-held cameras, which are not
at hand. Its kernels are replaced by these paths; their lengths cover the size of such kernels, and neither
the lengths nor the fraction of straight ones are DFDNet's.
"""

from __future__ import annotations

import math
from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from lumiface.core.draws import RandomSource, rand
from lumiface.core.settings import Settings
from lumiface.degradations.parameters import Range, scale_to_range, validate_ranges

_STEPS = 64
"""Points of a path; below 64 pixels they are closer than a pixel, so that the kernel has no gaps."""


class MotionConfig(Settings):
    """How many pictures are blurred by motion, and the ranges of the paths."""

    prob: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        description="fraction of pictures blurred by motion, not by the Gaussian",
    )
    length: Range = Field(
        default=(5.0, 27.0), description="length of the path, pixels at 512 x 512; scaled to other sizes"
    )
    straight: float = Field(default=0.5, ge=0.0, le=1.0, description="fraction of straight paths")
    turn: Range = Field(
        default=(0.0, math.pi), description="angle by which the others turn, left or right, radians"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        validate_ranges(self, {"length": (0.0, 64.0), "turn": (0.0, 2.0 * math.pi)})
        return self


def sample_motion(
    count: int, side: int, config: MotionConfig, generator: RandomSource, dtype: torch.dtype
) -> dict[str, Tensor]:
    """The motion of `count` pictures of `side` pixels, (count,) each, on the generator's device.

    Returns:
        motion_length: pixels of the picture's own size; 0 for pictures without motion blur.
        motion_angle: heading in the middle, radians, from the picture's right towards its bottom.
        motion_turn: signed angle between the headings at both ends, radians.
    """
    unit = rand((6, count), generator, dtype)
    moved = (unit[0] < config.prob).to(dtype)
    curved = (unit[3] >= config.straight).to(dtype)
    sign = torch.where(unit[5] < 0.5, -1.0, 1.0).to(dtype)
    return {
        "motion_length": moved * scale_to_range(config.length, unit[1]) * (side / 512.0),
        "motion_angle": 2.0 * math.pi * unit[2],
        "motion_turn": curved * sign * scale_to_range(config.turn, unit[4]),
    }


def motion_kernels(length: Tensor, angle: Tensor, turn: Tensor, radius: int) -> Tensor:
    """Normalised kernels of motion along the paths.

    Each point of a path is shared among its four nearest pixels by bilinear weights; a path's centre of mass
    lies in the kernel's centre, so that pictures do not move.

    Args:
        length, angle, turn: (B,), as of `sample_motion`; length 0 leaves a picture unchanged.
        radius: of the kernel, pixels, at least `motion_radius` of the largest length.

    Returns:
        (B, 2·radius + 1, 2·radius + 1), each summing to 1.
    """
    # Midpoints of equal parts of the path, from -1/2 to 1/2.
    along = (torch.arange(_STEPS, device=length.device, dtype=length.dtype) + 0.5) / _STEPS - 0.5
    heading = angle[:, None] + turn[:, None] * along
    step = length[:, None] / _STEPS
    offset = torch.arange(-radius, radius + 1, device=length.device, dtype=length.dtype)

    def shares(positions: Tensor) -> Tensor:
        """(B, points) -> bilinear weights of the rows or columns, (B, points, 2·radius + 1)."""
        centred = positions - positions.mean(dim=1, keepdim=True)
        return (1.0 - (offset - centred[:, :, None]).abs()).clamp(min=0.0)

    columns = shares((heading.cos() * step).cumsum(dim=1))
    rows = shares((heading.sin() * step).cumsum(dim=1))
    weights = rows.transpose(1, 2) @ columns
    return weights / weights.sum(dim=(1, 2), keepdim=True)


def motion_radius(length: float) -> int:
    """The kernel radius, pixels, for paths up to `length`.

    No point of a path is farther than half of its length from its centre of mass.
    """
    return math.ceil(length / 2.0) + 1

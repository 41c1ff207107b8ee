"""What a diffusion model sees beside the network's input: noisy targets in training, fixed noise afterwards.

In training they travel in the input's channels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lumiface.blocks.diffusion import NoiseSchedule
from lumiface.core.draws import RandomSource, randint, randn


def join_noisy(schedule: NoiseSchedule, image: Tensor, target: Tensor, generator: RandomSource) -> Tensor:
    """The target at a random noise level t, one per picture, behind the input.

    Args:
        image, target: (B, 3, H, W) in [0, 1].
        generator: samples t and the noise.

    Returns:
        (B, 7, H, W): the image, x_t of the target in about [-1, 1], and t/T.
    """
    t = randint(1, len(schedule) + 1, (len(target),), generator).to(target.device)
    noise = randn(target.shape, generator).to(target)
    noisy = schedule.add_noise(2.0 * target - 1.0, noise, t)
    level = (t.to(target) / len(schedule))[:, None, None, None].expand(-1, 1, *target.shape[-2:])
    return torch.cat([image, noisy, level], dim=1)


def split_noisy(schedule: NoiseSchedule, joined: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The opposite: the image (B, 3, H, W), x_t (B, 3, H, W) and t (B,) from 1 to T."""
    image, noisy, level = joined.split((3, 3, 1), dim=1)
    return image, noisy, (level[:, 0, 0, 0].float() * len(schedule)).round().long()


def fixed_noise(like: Tensor, seed: int) -> Tensor:
    """Standard normal noise, one for all pictures of a batch (B, 3, H, W): equal inputs, equal results."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, *like.shape[1:], generator=generator).to(like).expand_as(like)

"""Where StyleGAN2 stays in float32 in a run whose convolutions are in bf16.

Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data", appendix D, with half
precision: only the four highest resolutions are in 16 bits. Here mapping network, styles, normalisation of
the kernels, the sum of the RGB images, and the last layers of the discriminator are not, either; they cost
next to nothing. Without autocast nothing here has an effect.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

NUM_BF16_SCALES = 4
"""The number of resolutions, from the highest downwards, whose convolutions autocast may reduce to bf16."""


def float32_math(like: Tensor, *, when: bool = True) -> AbstractContextManager[object]:
    """Within, autocast is off on the tensor's device, if `when`; inputs are for `to_float32` before."""
    kind = like.device.type
    if when and torch.is_autocast_enabled(kind):
        return torch.autocast(kind, enabled=False)
    return nullcontext()


def to_float32(x: Tensor) -> Tensor:
    """The tensor in float32 where autocast is on, else the tensor itself."""
    return x.float() if torch.is_autocast_enabled(x.device.type) else x


def in_float32(size: int, resolution: int) -> bool:
    """Whether the layers at `size` pixels of a network for `resolution` pixels stay in float32."""
    return size * 2**NUM_BF16_SCALES <= resolution

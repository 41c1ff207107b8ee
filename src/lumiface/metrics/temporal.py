"""Steadiness of a video: flicker of its brightness, and what remains after its motion is undone."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from lumiface.imaging.color import luma
from lumiface.imaging.flow import move_back, optical_flow

_OCCLUDED = 0.02
"""Mean change of RGB between a frame of the reference and the next, moved back, from which a pixel counts as
uncovered."""


def luma_flicker(frames: Tensor) -> float:
    r"""Mean of :math:`|m_{t-1} - 2 m_t + m_{t+1}| / 2`, in 8-bit levels; lower is better.

    :math:`m_t` is the mean luma of frame t. A steady fade has no flicker; light that changes by a level to
    and fro in every frame has one of two.

    Args:
        frames: (T, 3, H, W), RGB in [0, 1].

    Raises:
        ValueError: another shape, or fewer than three frames.
    """
    _check(frames, 3)
    means = 255.0 * luma(frames.double()).mean((1, 2, 3))
    return float((means[:-2] - 2.0 * means[1:-1] + means[2:]).abs().mean() / 2.0)


def warping_error(frames: Tensor, reference: Tensor) -> float:
    r"""Mean squared difference between each frame and the next one, moved back; lower is better.

    Lai et al., "Learning Blind Video Temporal Consistency", ECCV 2018, section 4.1:
    :math:`\frac{1}{\sum_i M_i} \sum_i M_i \| V_t - \hat V_{t+1} \|^2`, in RGB, as the mean over the channels,
    times 10,000 for readable figures. The motion is measured in the reference, which is steady, by OpenCV's
    DIS flow instead of FlowNet2; the mask M leaves out what that does not explain in the reference itself.

    Args:
        frames: (T, 3, H, W), RGB in [0, 1].
        reference: the true frames, of the same shape.

    Raises:
        ValueError: the shapes differ, or fewer than two frames.
    """
    _check(frames, 2)
    if frames.shape != reference.shape:
        raise ValueError(f"need frames and reference of one shape, got {frames.shape} and {reference.shape}")
    errors: list[float] = []
    for t in range(len(frames) - 1):
        flow = optical_flow(reference[t : t + 1], reference[t + 1 : t + 2])
        steady = (move_back(reference[t + 1 : t + 2], flow)[0] - reference[t]).abs().mean(0) < _OCCLUDED
        apart = (move_back(frames[t + 1 : t + 2], flow)[0] - frames[t]).square().mean(0)
        if bool(steady.any()):
            errors.append(1e4 * float(apart[steady].double().mean()))
    return float(np.mean(errors)) if errors else 0.0


def _check(frames: Tensor, least: int) -> None:
    if frames.dim() != 4 or frames.shape[1] != 3 or len(frames) < least:
        raise ValueError(f"need (T, 3, H, W) with T >= {least}, got {tuple(frames.shape)}")

"""The tasks that a network may be trained for, and the pair of pictures that most of them learn from.

A joint method goes from dark and small to light and large in one network. A chain does it in two, each
trained for its own half (LFSRNet, section 3.4):

    enhance-small, then enlarge      I_LL -> I_NL -> I_NS    "DLN + X" in the paper's Table 2
    sr-dark, then lighten       I_LL -> I_LS -> I_NS    "X + DLN"

Blind restoration mends damage of unknown kind; it is no half of a chain, and has a lesson of its own.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from lumiface.degradations.lowlight import PAPER_RANGES, darken, sample_darkening
from lumiface.degradations.resample import resize

PairTask = Literal["joint", "sr", "sr-dark", "enhance", "enhance-small"]
Task = Literal[PairTask, "blind"]

ENLARGING: tuple[PairTask, ...] = ("joint", "sr", "sr-dark")
SAME_SIZE: tuple[PairTask, ...] = ("enhance", "enhance-small")


def task_pair(task: PairTask, high: Tensor, scale: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """What a network is given, and what it should make of it, by the LLF benchmark's darkening.

    Args:
        task: "joint" dark small -> light large; "sr" light small -> light large;
            "sr-dark" dark small -> dark large; "enhance" dark large -> light large;
            "enhance-small" dark small -> light small.
        high: (B, 3, H, W) bright and large, in [0, 1]; H and W multiples of `scale`.
        scale: side of the large picture over that of the small one.
        generator: draws the darkening; tasks that need none leave it alone.

    Returns:
        input and target, (B, 3, ., .) each, in [0, 1]; what was made here lies on the 8-bit grid.
    """
    small = (high.shape[-2] // scale, high.shape[-1] // scale)
    if task == "sr":
        return _to_8_bit(resize(high, small)), high
    drawn = sample_darkening(high.shape[0], PAPER_RANGES, generator, high.device)
    dark = darken(high, drawn.alpha, drawn.beta, drawn.gamma, drawn.noise, generator)
    if task == "enhance":
        return _to_8_bit(dark), high
    low = _to_8_bit(resize(dark, small))
    targets = {"joint": high, "sr-dark": dark, "enhance-small": resize(high, small)}
    return low, high if task == "joint" else _to_8_bit(targets[task])


def _to_8_bit(pictures: Tensor) -> Tensor:
    """As a file would hold them."""
    return (pictures.clamp(0.0, 1.0) * 255.0).round() / 255.0

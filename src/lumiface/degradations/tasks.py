"""The tasks that a network may be trained for, and the training pairs of most of them.

A joint method maps a dark, small picture to a bright, large one in one network. A chain uses two, each
trained for one half (LFSRNet, section 3.4):

    enhance-small, then sr       I_LL -> I_NL -> I_NS    "DLN + X" in the paper's Table 2
    sr-dark, then enhance        I_LL -> I_LS -> I_NS    "X + DLN"

Two tasks keep the size and undo the damage of another benchmark: "frr", dark and damaged (prior3d, section
4.1), and "blind", unknown damage (fusion_bfr, section 2.1). They are no part of a chain.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from lumiface.core.draws import RandomSource
from lumiface.degradations.blind import BlindConfig, apply_blind, sample_blind
from lumiface.degradations.frr import FRRConfig, apply_frr, sample_frr
from lumiface.degradations.lowlight import PAPER_RANGES, darken, sample_darkening
from lumiface.degradations.resample import resize
from lumiface.imaging.quantize import quantize

DamageTask = Literal["frr", "blind"]
"""Tasks whose pairs are those of a benchmark of damage, see `data.benchmarks.damaged`."""

PairTask = Literal["joint", "sr", "sr-dark", "enhance", "enhance-small", DamageTask]
Task = PairTask

ENLARGING: tuple[PairTask, ...] = ("joint", "sr", "sr-dark")
SAME_SIZE: tuple[PairTask, ...] = ("enhance", "enhance-small")
DAMAGED: tuple[DamageTask, ...] = ("frr", "blind")


def task_pair(task: PairTask, bright: Tensor, scale: int, generator: RandomSource) -> tuple[Tensor, Tensor]:
    """Input and target of a task, by the LLF benchmark's darkening.

    Args:
        task: "joint" dark small -> bright large; "sr" bright small -> bright large;
            "sr-dark" dark small -> dark large; "enhance" dark large -> bright large;
            "enhance-small" dark small -> bright small; "frr" and "blind" damaged -> clean, both large.
        bright: (B, 3, H, W) bright and large, in [0, 1]; H and W multiples of `scale`.
        scale: size of the large picture over that of the small one.
        generator: samples the darkening; unused by tasks without darkening.

    Returns:
        input and target, (B, 3, ., .) each, in [0, 1]; all but `bright` itself lie on the 8-bit grid.
    """
    small = (bright.shape[-2] // scale, bright.shape[-1] // scale)
    if task == "sr":
        return quantize(resize(bright, small)), bright
    if task == "frr":
        frr = sample_frr(len(bright), FRRConfig(), generator, bright.device, bright.dtype)
        return apply_frr(bright, frr, generator), bright
    if task == "blind":
        blind = sample_blind(
            len(bright), bright.shape[-1], BlindConfig(), generator, bright.device, bright.dtype
        )
        return apply_blind(bright, blind, generator), bright
    p = sample_darkening(bright.shape[0], PAPER_RANGES, generator, bright.device)
    dark = darken(bright, p.alpha, p.beta, p.gamma, p.noise, generator)
    if task == "enhance":
        return quantize(dark), bright
    dark_small = quantize(resize(dark, small))
    if task == "joint":
        return dark_small, bright
    return dark_small, quantize(dark if task == "sr-dark" else resize(bright, small))

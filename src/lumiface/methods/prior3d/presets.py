"""Settings by size: "paper" has planes of 256 texels, "small" can be trained on two CPU cores in hours."""

from __future__ import annotations

from typing import Any

# x_0 of 121 channels, ε predicted, DDPM in all T steps from noise of full strength (§2, §3.3.1). The widths
# are not in the paper: the first level passes noise of 121 channels, and the whole has 9.14 M parameters; the
# paper's has 9.29 M.
PAPER_PRIOR: dict[str, Any] = {
    "denoiser": {"components": 96, "predicts": "noise", "steps": 1000, "widths": (128, 224, 288)},
    "sampler": "ddpm",
    "temperature": 1.0,
    "clip": None,
}

PAPER: dict[str, Any] = {"prior": PAPER_PRIOR, "prior_size": 128}

# The same network and weights, sampled in a few steps: a face in seconds instead of an hour on a CPU.
PAPER_DDIM: dict[str, Any] = PAPER | {
    "prior": PAPER_PRIOR | {"sampler": "ddim", "sampling_steps": 5, "clip": 6.0}
}

SMALL_RENDER = {"coarse": 16, "fine": 16}

SMALL_LIFTER: dict[str, Any] = {"planes": {"side": 64}, "render": SMALL_RENDER}

SMALL_PRIOR: dict[str, Any] = {
    "planes": {"side": 64},
    "denoiser": {"side": 64, "widths": (48, 96, 192), "condition": 48},
    "render": SMALL_RENDER,
}

SMALL_ENHANCER: dict[str, Any] = {"widths": (32, 64, 128)}

SMALL: dict[str, Any] = {"prior": SMALL_PRIOR, "enhancer": SMALL_ENHANCER, "prior_size": 64}

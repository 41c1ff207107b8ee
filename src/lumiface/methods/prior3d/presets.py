"""Settings by size: "paper" has planes of 256 texels, "small" can be trained on two CPU cores in hours."""

from __future__ import annotations

from typing import Any

# Five steps at this size keep the pipeline within the paper's 412 GFLOPs; ten would take 730.
PAPER_PRIOR: dict[str, Any] = {"sampling_steps": 5}

PAPER: dict[str, Any] = {"prior": PAPER_PRIOR}

SMALL_RENDER = {"coarse": 16, "fine": 16}

SMALL_LIFTER: dict[str, Any] = {"planes": {"side": 64}, "render": SMALL_RENDER}

SMALL_PRIOR: dict[str, Any] = {
    "planes": {"side": 64},
    "denoiser": {"side": 64, "widths": (48, 96, 192), "condition": 48},
    "render": SMALL_RENDER,
}

SMALL_ENHANCER: dict[str, Any] = {"widths": (32, 64, 128)}

SMALL: dict[str, Any] = {"prior": SMALL_PRIOR, "enhancer": SMALL_ENHANCER, "prior_size": 64}

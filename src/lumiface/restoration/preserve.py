"""Properties of the input face that a restored face keeps: its illumination, if well lit, and its colour."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from lumiface.imaging.color import luma
from lumiface.imaging.denoise import LEAST_LIGHT
from lumiface.restoration.tone_curve import LARGEST_GAIN

CHROMA_WEIGHT = 0.3
"""Weight of the brightened input's colour in the restored face; 0 keeps the network's colour."""


def preserve_illumination(crop: Tensor, output: Tensor, amount: float) -> Tensor:
    """Give a restored face the large-scale light and colour of the input, by `amount` in [0, 1].

    Networks trained on darkened faces brighten every input; a well-lit face must not become pale.

    Args:
        crop: (1, 3, S, S), the input face. output: (1, 3, s·S, s·S), the network's output.
    """
    before, after = _cell_means(crop), _cell_means(output)
    return (output + amount * _upsample(before - after, output)).clamp(0.0, 1.0)


def preserve_chroma(crop: Tensor, output: Tensor, amount: float = CHROMA_WEIGHT) -> Tensor:
    """Move the colour of a restored face, not its luma, towards that of the plainly brightened input.

    The network shifts colours towards an average skin. The input's colours are more faithful, but coarsely
    quantised where it is nearly black, so the reference is the mean over large cells, and its weight falls
    to 0 there.

    Args:
        crop: (1, 3, S, S), the input face. output: (1, 3, s·S, s·S), the network's output.
    """
    before, after = _cell_means(crop), _cell_means(output)
    gained = before * (luma(after) / luma(before).clamp(min=LEAST_LIGHT)).clamp(max=LARGEST_GAIN)
    trust = ((luma(before) - LEAST_LIGHT) / (20.0 / 255.0)).clamp(0.0, 1.0)
    change = amount * trust * ((gained - luma(gained)) - (after - luma(after)))
    return (output + _upsample(change, output)).clamp(0.0, 1.0)


def _cell_means(picture: Tensor) -> Tensor:
    """Means over 16 x 16 cells of an aligned face: its large-scale light and colour."""
    return F.interpolate(picture, size=(16, 16), mode="area")


def _upsample(cells: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(cells, size=like.shape[-2:], mode="bicubic", align_corners=False)

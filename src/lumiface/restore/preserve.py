"""What a restored face keeps of the one that came in: its light, if it was well lit, and its colour."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from lumiface.imaging.color import luma
from lumiface.imaging.denoise import LEAST_LIGHT
from lumiface.restore.relight import LARGEST_GAIN

OWN_COLOUR = 0.3
"""How far a restored face's colour is drawn towards the input's, brightened; 0 leaves the network's."""


def preserve_illumination(crop: Tensor, output: Tensor, amount: float) -> Tensor:
    """Give a restored face the large-scale light and colour that it came with, by `amount` in [0, 1].

    Networks trained on darkened faces brighten; a face that is well lit must not be made pale.

    Args:
        crop: (1, 3, S, S), the face as it was. output: (1, 3, s·S, s·S), the face as the network gives it.
    """
    own, new = _cells(crop), _cells(output)
    return (output + amount * _spread(own - new, output)).clamp(0.0, 1.0)


def preserve_chroma(crop: Tensor, output: Tensor, amount: float = OWN_COLOUR) -> Tensor:
    """Bring a restored face's colour, not its light, towards what plain brightening of the input would give.

    A face is recoloured by a network that has learnt an average skin; the input knows better, but its colours
    are coarse where it is nearly black, so the anchor is the mean over large cells, and gives way there.

    Args:
        crop: (1, 3, S, S), the face as it was. output: (1, 3, s·S, s·S), the face as the network gives it.
    """
    own, new = _cells(crop), _cells(output)
    gained = own * (luma(new) / luma(own).clamp(min=LEAST_LIGHT)).clamp(max=LARGEST_GAIN)
    trust = ((luma(own) - LEAST_LIGHT) / (20.0 / 255.0)).clamp(0.0, 1.0)
    change = amount * trust * ((gained - luma(gained)) - (new - luma(new)))
    return (output + _spread(change, output)).clamp(0.0, 1.0)


def _cells(picture: Tensor) -> Tensor:
    """Means over 16 x 16 cells of an aligned face: its large-scale light and colour."""
    return F.interpolate(picture, size=(16, 16), mode="area")


def _spread(cells: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(cells, size=like.shape[-2:], mode="bicubic", align_corners=False)

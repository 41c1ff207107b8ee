"""Properties of the input face that a restored face keeps: its illumination, if well lit, and its colour."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from lumiface.faces.measure import inner_face
from lumiface.imaging.color import luma
from lumiface.imaging.denoise import LEAST_LIGHT
from lumiface.imaging.light import brightness, scale_colours
from lumiface.imaging.mean_gamma import bisect_gamma
from lumiface.restoration.light.tone_curve import LARGEST_GAIN

CHROMA_WEIGHT = 0.3
"""Weight of the brightened input's saturation in the restored face; 0 keeps the network's."""


LEAST_FACE_LIGHT = 0.34
"""Light of a restored face, at least: 95 % of normally lit faces of each of four groups have more."""


def preserve_illumination(crop: Tensor, output: Tensor, amount: float) -> Tensor:
    """Give a restored face the large-scale light and colour of the input, by `amount` in [0, 1].

    Networks trained on darkened faces brighten every input; a well-lit face must not become pale.

    Args:
        crop: (1, 3, S, S), the input face. output: (1, 3, s·S, s·S), the network's output.
    """
    before, after = _cell_means(crop), _cell_means(output)
    return (output + amount * _upsample(before - after, output)).clamp(0.0, 1.0)


def preserve_chroma(crop: Tensor, output: Tensor, amount: float = CHROMA_WEIGHT) -> Tensor:
    """Give a restored face the hues of the input, and move its saturation towards that; luma stays.

    The network shifts colours towards an average skin. The input's colours are more faithful, but coarsely
    quantised where it is nearly black, so the reference is the mean over large cells, and its weight falls
    to 0 there.

    Args:
        crop: (1, 3, S, S), the input face. output: (1, 3, s·S, s·S), the network's output.
        amount: weight of the input's saturation.
    """
    before, after = _cell_means(crop), _cell_means(output)
    gained = before * (luma(after) / luma(before).clamp(min=LEAST_LIGHT)).clamp(max=LARGEST_GAIN)
    trust = ((luma(before) - LEAST_LIGHT) / (20.0 / 255.0)).clamp(0.0, 1.0)
    wanted, drawn = gained - luma(gained), after - luma(after)
    strength, drawn_strength = wanted.norm(dim=1, keepdim=True), drawn.norm(dim=1, keepdim=True)
    mixed = drawn_strength + amount * (strength - drawn_strength)
    # What is nearly grey has no hue to keep.
    hued = wanted * (mixed / strength.clamp(min=1e-3))
    grey = wanted.lerp(drawn, 1.0 - amount)
    target = grey.lerp(hued, (strength / 0.02).clamp(max=1.0))
    return (output + _upsample(trust * (target - drawn), output)).clamp(0.0, 1.0)


def give_least_light(output: Tensor, least: float = LEAST_FACE_LIGHT) -> Tensor:
    """Brighten a face that came out darker than normally lit ones are.

    A network that sees a dim face before a bright sea sees a bright picture, and gives it hardly any light.
    Brightness is raised to a power, which leaves the sea as it is; hues stay.

    Args:
        output: (1, 3, s, s), the network's output, aligned.
        least: the `face_light` that is reached.
    """
    light = brightness(output).clamp(min=LEAST_LIGHT)
    skin = light[:, :, inner_face(output.shape[-1], output.device)[0, 0] > 0]
    if float(skin.mean()) >= least:
        return output
    _, power = bisect_gamma(skin.flatten(1), least, (0.3, 1.0), 20)
    return scale_colours(output, light ** (power.view(1, 1, 1, 1) - 1.0))


def _cell_means(picture: Tensor) -> Tensor:
    """Means over 16 x 16 cells of an aligned face: its large-scale light and colour."""
    return F.interpolate(picture, size=(16, 16), mode="area")


def _upsample(cells: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(cells, size=like.shape[-2:], mode="bicubic", align_corners=False)

"""The masks of faceMaskLoss: a face, a block mask and a pixel mask side by side (LFSRNet, Fig. 5).

Exact: the masks are sampled by the functions of the loss, at the size at which networks are trained. Unknown:
the rendering of the paper's figure; here unmasked pixels are shown in colour, the rest of the picture is
dimmed, and the face's box is outlined.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.degradations.resample import resize
from lumiface.figures.panels import labelled_row
from lumiface.losses.face_mask import block_mask, pixel_mask

Box = tuple[float, float, float, float]

_MIN_SIDE = 384  # of a picture in the figure, pixels
_FACE = 0.62  # side of a face's box in an aligned training picture, as a fraction of the picture's side
_DIMMED = 0.22
_OUTLINE = (0.94, 0.64, 0.35)


def mask_figure(
    picture: Tensor, box: Box, *, ratio: float = 0.5, seed: int = 0, block_side: float = 0.25, side: int = 128
) -> Tensor:
    """The original face, the block mask, and the pixel mask.

    Args:
        picture: (1, 3, H, W), RGB in [0, 1], a whole photograph or an aligned face.
        box: x1, y1, x2, y2 of the face, in pixels.
        ratio: fraction of the face's pixels that the mask keeps.
        seed: of both masks.
        block_side: side of a block as a fraction of the box's side.
        side: of the square around the face, pixels: that of the bright pictures in training.

    Returns:
        (1, 3, H', W'), three squares in a row on white, with a label under each.

    Raises:
        SettingError: a setting out of range.
        ValueError: the box has no area inside the picture.
    """
    face, inner = crop_to_face(picture, box, side)
    boxes = torch.tensor([inner])
    size = (face.shape[-2], face.shape[-1])
    blocks = block_mask(boxes, size, ratio, torch.Generator().manual_seed(seed), block_side)
    pixels = pixel_mask(boxes, size, ratio, torch.Generator().manual_seed(seed))
    panels = [face, _masked(face, blocks, inner), _masked(face, pixels, inner)]
    factor = -(-_MIN_SIDE // side)
    large = [F.interpolate(panel, scale_factor=factor, mode="nearest") for panel in panels]
    return labelled_row(large, ["original", f"block mask, r = {ratio:g}", f"pixel mask, r = {ratio:g}"])


def crop_to_face(picture: Tensor, box: Box, side: int) -> tuple[Tensor, Box]:
    """The square around a face, reduced or enlarged to `side` pixels, and the face's box in it.

    The face fills as much of the square as in aligned training pictures, or more where the picture
    (1, 3, H, W) is too small. The square lies inside the picture.

    Raises:
        ValueError: the box x1, y1, x2, y2 has no area inside the picture.
    """
    height, width = picture.shape[-2:]
    x1, y1, x2, y2 = max(0.0, box[0]), max(0.0, box[1]), min(float(width), box[2]), min(float(height), box[3])
    if x1 >= x2 or y1 >= y2:
        raise ValueError(f"box {box} has no area in a picture of {width}x{height}")
    size = max(1, min(round(max(x2 - x1, y2 - y1) / _FACE), height, width))
    left = min(max(0, round((x1 + x2 - size) / 2)), width - size)
    top = min(max(0, round((y1 + y2 - size) / 2)), height - size)
    square = resize(picture[..., top : top + size, left : left + size], (side, side)).clamp(0.0, 1.0)
    scale = side / size
    return square, ((x1 - left) * scale, (y1 - top) * scale, (x2 - left) * scale, (y2 - top) * scale)


def _masked(face: Tensor, mask: Tensor, box: Box) -> Tensor:
    """The face where the mask is set, dimmed elsewhere, with its box outlined."""
    masked = torch.where(mask, face, _DIMMED * face)
    height, width = face.shape[-2:]
    x1, y1, x2, y2 = (round(edge) for edge in box)
    left, right = max(0, x1), min(width, x2) - 1
    top, bottom = max(0, y1), min(height, y2) - 1
    colour = torch.tensor(_OUTLINE)[None, :, None]
    for column in (left, right):
        masked[..., top : bottom + 1, column] = colour
    for row in (top, bottom):
        masked[..., row, left : right + 1] = colour
    return masked

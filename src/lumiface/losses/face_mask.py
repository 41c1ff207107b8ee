r"""faceMaskLoss: the difference inside a random part of the face (LFSRNet, section 2.4).

.. math:: I_{mask} = Gen(I_{face}, r), \qquad L_{mask} = |I_{SR} I_{mask} - I_{HR} I_{mask}|_1

`Gen` is `block_mask` (the paper's choice) or `pixel_mask`; `r` is the fraction of the face's pixels used.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from lumiface.core.device import to_device
from lumiface.core.errors import SettingError
from lumiface.core.shapes import require_same_pictures

MaskMode = Literal["block", "pixel"]
MaskNorm = Literal["picture", "mask", "sum"]


def block_mask(
    boxes: Tensor, size: tuple[int, int], ratio: float, generator: torch.Generator, block_side: float = 0.25
) -> Tensor:
    r"""Random blocks in each face's box, which may overlap and cover the fraction `ratio` of it on average.

    A block has `block_side` of the box's width w and height h. Its corner is sampled uniformly from
    :math:`(x_1 - b_w, x_2) \times (y_1 - b_h, y_2)` and the block clipped to the box, so that each pixel of
    the face, at the border as in the centre, is covered by one block with the same probability b / A, where b
    is the block's area and A that of the corner's range:

    .. math:: b / A = (s / (1 + s))^2, \qquad s = \text{block\_side}.

    The number n of blocks follows from :math:`1 - (1 - b / A)^n = r`. It is rounded up, and the last block is
    used with the probability that makes the expected fraction exactly r.

    Args:
        boxes: (B, 4) as x1, y1, x2, y2 in pixels; a pixel belongs to a box when its centre does.
        size: height and width of the images.
        ratio: r in [0, 1]; 0 gives empty masks and 1 whole boxes.
        generator: source of the random numbers, on the CPU, so that every device gets the same masks.
        block_side: s > 0, the side of a block as a fraction of the box's side.

    Returns:
        (B, 1, H, W) bool on the boxes' device: True where a pixel counts.

    Raises:
        SettingError: `ratio` or `block_side` out of range.
        ValueError: `boxes` are not (B, 4).

    Source:
        LFSRNet, section 2.4. The paper leaves the blocks' size and position open.
    """
    _check_ratio(ratio)
    if not block_side > 0:
        raise SettingError(f"block_side must be above 0, but is {block_side}")
    inside = _inside(boxes, size)
    if ratio in (0.0, 1.0):
        return inside if ratio == 1.0 else torch.zeros_like(inside)

    hit = (block_side / (1 + block_side)) ** 2  # b / A
    count = max(1, math.ceil(math.log1p(-ratio) / math.log1p(-hit)))  # n
    last_hit = 1 - (1 - ratio) / (1 - hit) ** (count - 1)  # probability to be added by the last block
    batch = boxes.shape[0]
    position = torch.rand(batch, count, 2, generator=generator)  # of the corner within its range
    used = torch.ones(batch, count)
    used[:, -1] = (torch.rand(batch, generator=generator) < last_hit / hit).float()
    position, used = to_device(position, boxes.device), to_device(used, boxes.device)

    corner, opposite = boxes[:, None, :2].float(), boxes[:, None, 2:].float()  # (B, 1, 2)
    block = block_side * (opposite - corner)
    start = corner - block + position * (opposite - corner + block)  # (B, n, 2)
    end = start + block
    x, y = _centres(size[1], boxes.device), _centres(size[0], boxes.device)
    columns = (x >= start[..., :1]) & (x < end[..., :1])  # (B, n, W)
    rows = (y >= start[..., 1:]) & (y < end[..., 1:])  # (B, n, H)
    # A block is the outer product of its rows and columns; their sum counts the blocks on each pixel.
    layers = torch.einsum("bn,bnh,bnw->bhw", used, rows.float(), columns.float())
    return inside & (layers > 0.5)[:, None]


def pixel_mask(boxes: Tensor, size: tuple[int, int], ratio: float, generator: torch.Generator) -> Tensor:
    """Each pixel of the face counts by itself, with probability `ratio` (Bernoulli).

    Args:
        boxes: (B, 4) as x1, y1, x2, y2 in pixels; a pixel belongs to a box when its centre does.
        size: height and width of the images.
        ratio: r in [0, 1]; 0 gives empty masks and 1 whole boxes.
        generator: source of the random numbers, on the CPU, so that every device gets the same masks.

    Returns:
        (B, 1, H, W) bool on the boxes' device: True where a pixel counts.

    Raises:
        SettingError: `ratio` out of range.
        ValueError: `boxes` are not (B, 4).

    Source:
        LFSRNet, section 2.4.
    """
    _check_ratio(ratio)
    inside = _inside(boxes, size)
    selected = torch.rand(boxes.shape[0], 1, *size, generator=generator) < ratio
    return inside & to_device(selected, boxes.device)


def face_mask_loss(output: Tensor, target: Tensor, mask: Tensor, norm: MaskNorm = "picture") -> Tensor:
    r""":math:`L_{mask} = |I_{SR} M - I_{HR} M|_1`, the absolute difference where the mask is set.

    Args:
        output: (B, 3, H, W), RGB in [0, 1].
        target: (B, 3, H, W), RGB in [0, 1].
        mask: (B, 1, H, W), bool or in [0, 1].
        norm: "picture": the mean over all values of the pictures, so that a larger face has more weight;
            "mask": the mean over the values under the mask; "sum": the sum over a picture, the mean over the
            batch.

    Returns:
        Scalar, in the images' unit.

    Raises:
        ValueError: the shapes do not match.

    Source:
        LFSRNet, section 2.4.
    """
    require_same_pictures(output, target)
    if mask.shape != (output.shape[0], 1, *output.shape[2:]):
        raise ValueError(f"mask {tuple(mask.shape)} must be (B, 1, H, W) for images {tuple(output.shape)}")
    masked = (output - target).abs() * mask
    # NOTE(paper): |.|_1 is read as the mean over all B * 3 * H * W values, the same norm as L1 has. With the
    # paper's weight the term is then a 400th of L1; the other norms are settings.
    if norm == "picture":
        return masked.mean()
    if norm == "mask":
        return masked.sum() / (masked.shape[1] * mask.sum()).clamp(min=1.0)
    return masked.sum() / len(masked)


class FaceMaskLoss(nn.Module):
    """`face_mask_loss` with new random masks at each call.

    The state of the generator is part of `state_dict()`: a resumed run gets the same masks as an
    uninterrupted one.

    Args:
        ratio: r in [0, 1], the fraction of the face's pixels that count.
        mode: "block" or "pixel".
        block_side: side of a block as a fraction of the box's side ("block" only).
        norm: as of `face_mask_loss`.
        seed: seed of the loss's own generator; use a different one in each process of a distributed run.

    Raises:
        SettingError: a setting out of range.
    """

    def __init__(
        self,
        ratio: float = 0.5,
        mode: MaskMode = "block",
        block_side: float = 0.25,
        seed: int = 0,
        norm: MaskNorm = "picture",
    ) -> None:
        super().__init__()
        _check_ratio(ratio)
        if mode not in ("block", "pixel"):
            raise SettingError(f"mode of the face mask must be block or pixel, but is {mode}")
        if not block_side > 0:
            raise SettingError(f"block_side must be above 0, but is {block_side}")
        self.ratio = ratio
        self.mode: MaskMode = mode
        self.block_side = block_side
        self.norm: MaskNorm = norm
        self.generator = torch.Generator().manual_seed(seed)

    def sample_mask(self, boxes: Tensor, size: tuple[int, int]) -> Tensor:
        """Random masks (B, 1, H, W) for the faces in `boxes` (B, 4); see `block_mask` and `pixel_mask`."""
        if self.mode == "block":
            return block_mask(boxes, size, self.ratio, self.generator, self.block_side)
        return pixel_mask(boxes, size, self.ratio, self.generator)

    def forward(self, output: Tensor, target: Tensor, boxes: Tensor) -> Tensor:
        """Scalar loss of `output` against `target`, both (B, 3, H, W), in the target's `boxes` (B, 4)."""
        mask = self.sample_mask(boxes.to(output.device), (output.shape[2], output.shape[3]))
        return face_mask_loss(output, target, mask, self.norm)

    def get_extra_state(self) -> Tensor:
        """The generator's state, for `state_dict()`."""
        return self.generator.get_state()

    def set_extra_state(self, state: Tensor) -> None:
        """Restore the generator's state."""
        self.generator.set_state(state.cpu())

    def extra_repr(self) -> str:
        return f"ratio={self.ratio}, mode={self.mode}, block_side={self.block_side}, norm={self.norm}"


def _check_ratio(ratio: float) -> None:
    if not 0 <= ratio <= 1:
        raise SettingError(f"ratio of the face mask must lie in [0, 1], but is {ratio}")


def _centres(length: int, device: torch.device) -> Tensor:
    return torch.arange(length, device=device) + 0.5


def _inside(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, 1, H, W) bool: the pixels whose centres lie in the box."""
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes {tuple(boxes.shape)} must be (B, 4) as x1, y1, x2, y2")
    x1, y1, x2, y2 = boxes[:, :, None, None].unbind(dim=1)  # each (B, 1, 1)
    x = _centres(size[1], boxes.device)
    y = _centres(size[0], boxes.device)[:, None]
    return ((x >= x1) & (x < x2) & (y >= y1) & (y < y2))[:, None]

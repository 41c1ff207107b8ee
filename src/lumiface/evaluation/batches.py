"""Batches of images of one size, as tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lumiface.imaging.quantize import from_uint8

Pixels = npt.NDArray[np.uint8]
Item = TypeVar("Item")


def batches_of_one_size(
    items: Iterable[Item], pixels_of: Callable[[Item], Pixels], batch: int, max_pixels: int | None = None
) -> Iterator[list[Item]]:
    """Consecutive items whose images have one size, up to `batch` at a time, in order.

    Args:
        items: images, or pairs of images.
        pixels_of: the image of an item, (H, W, 3).
        max_pixels: of all images of a batch together; a larger image is a batch of its own. None: no limit.
    """
    chunk: list[Item] = []
    for item in items:
        height, width = pixels_of(item).shape[:2]
        limit = batch if max_pixels is None else max(1, min(batch, max_pixels // (height * width)))
        if chunk and (len(chunk) >= limit or pixels_of(chunk[0]).shape[:2] != (height, width)):
            yield chunk
            chunk = []
        chunk.append(item)
    if chunk:
        yield chunk


def stack_images(images: Sequence[Pixels], device: torch.device) -> Tensor:
    """(H, W, 3) uint8 each -> (B, 3, H, W) float32 in [0, 1]. Copied: decoders' arrays may be read-only."""
    return torch.cat([from_uint8(image.copy()) for image in images]).to(device)

"""Square faces of one size, decoded once to bytes in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from lumiface.data.sources import open_source
from lumiface.errors import InputError
from lumiface.image import decode_rgb8


def stack_faces(sources: Sequence[str | Path], limit: int | None = None) -> Tensor:
    """The pictures of folders or tars, one source after the other, (N, 3, H, H) uint8.

    Args:
        sources: folders or uncompressed tars of square, aligned faces of one size.
        limit: so many at most.

    Raises:
        InputError: a source is absent or empty, or a picture is not square or of another size.
    """
    found: list[Tensor] = []
    for source in sources:
        for name, data in open_source(source).items():
            if len(found) == limit:
                break
            pixels = torch.from_numpy(decode_rgb8(data, name).copy()).permute(2, 0, 1)
            _, height, width = pixels.shape
            if height != width or (found and pixels.shape != found[0].shape):
                raise InputError(f"{source}: {name} is {width}x{height}; all must be one square")
            found.append(pixels)
    return torch.stack(found)

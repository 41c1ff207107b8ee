"""Square faces of one size, decoded once to bytes in memory, and batches drawn from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lumiface.core.errors import InputError
from lumiface.data.sources import open_source
from lumiface.degradations.resample import resize
from lumiface.imaging.io import decode_rgb8


def load_face_tensor(sources: Sequence[str | Path], limit: int | None = None) -> Tensor:
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


def resize_faces(faces: Tensor, side: int) -> Tensor:
    """(N, 3, H, H) uint8 -> (N, 3, side, side) uint8, antialiased."""
    if faces.shape[-1] == side:
        return faces
    return torch.cat([_resized(some, side) for some in faces.split(256)])


def sample_batch(faces: Tensor, count: int, rng: np.random.Generator) -> Tensor:
    """`count` different faces of (N, 3, H, H) uint8, mirrored every other one, in [0, 1], on their device."""
    chosen = torch.from_numpy(rng.choice(len(faces), count, replace=False)).to(faces.device)
    mirrored = torch.from_numpy(rng.random(count) < 0.5).to(faces.device)
    drawn = faces[chosen].float() / 255.0
    return torch.where(mirrored[:, None, None, None], drawn.flip(-1), drawn)


def _resized(faces: Tensor, side: int) -> Tensor:
    small = resize(faces.float() / 255.0, (side, side)).clamp(0.0, 1.0)
    return (small * 255.0).round().to(torch.uint8)

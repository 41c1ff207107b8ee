"""Square faces: decoded once, as bytes in memory; the batches of one-size sets."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lumiface.core.device import to_device
from lumiface.core.errors import InputError
from lumiface.core.parallel import ordered_map
from lumiface.data.sources import PictureSource, open_source
from lumiface.degradations.resample import resize
from lumiface.imaging.io import decode_rgb8
from lumiface.imaging.quantize import to_uint8


def read_square_faces(
    sources: Sequence[str | Path], *, same_size: bool = True, names: Container[str] | None = None
) -> Iterator[tuple[str, Tensor]]:
    """Decode the faces of folders, uncompressed tars and packs, one source after the other, on all cores.

    Args:
        sources: square, aligned faces.
        same_size: refuse faces of different sizes.
        names: the pictures to read, by their path inside the source; None: all.

    Yields:
        Name and pixels, (3, H, H) uint8.

    Raises:
        InputError: a source is absent or empty, or a picture is not square or of another size.
    """
    size: int | None = None
    for source in sources:
        pictures = open_source(source)
        chosen = [index for index, name in enumerate(pictures.names) if names is None or name in names]
        for index, decoded in zip(chosen, ordered_map(partial(_decode, pictures), chosen), strict=True):
            name, pixels = pictures.names[index], torch.from_numpy(decoded).permute(2, 0, 1)
            height, width = pixels.shape[1:]
            if height != width or (same_size and size is not None and height != size):
                required = "square faces" if size is None or not same_size else f"faces of {size}x{size}"
                raise InputError(f"{source}: {name} is {width}x{height}; the set needs {required}")
            size = height
            yield name, pixels


def load_face_tensor(sources: Sequence[str | Path], limit: int | None = None) -> Tensor:
    """The faces of folders or tars, one source after the other, (N, 3, H, H) uint8.

    Args:
        sources: folders, uncompressed tars or packs of square, aligned faces of one size.
        limit: the maximum number of faces.

    Raises:
        InputError: a source is absent or empty, or a picture is not square or of another size.
    """
    faces: list[Tensor] = []
    for _, pixels in read_square_faces(sources):
        faces.append(pixels)
        if len(faces) == limit:
            break
    return torch.stack(faces)


def resize_faces(faces: Tensor, size: int) -> Tensor:
    """(N, 3, H, H) uint8 -> (N, 3, size, size) uint8, antialiased."""
    if faces.shape[-1] == size:
        return faces
    return torch.cat([_resize(chunk, size) for chunk in faces.split(256)])


def sample_batch(faces: Tensor, count: int, rng: np.random.Generator) -> Tensor:
    """`count` different faces of (N, 3, H, H) uint8, each mirrored with probability 1/2.

    Returns:
        (count, 3, H, H) float32 in [0, 1], on the faces' device.
    """
    chosen = to_device(torch.from_numpy(rng.choice(len(faces), count, replace=False)), faces.device)
    mirrored = to_device(torch.from_numpy(rng.random(count) < 0.5), faces.device)
    batch = faces[chosen].float() / 255.0
    return torch.where(mirrored[:, None, None, None], batch.flip(-1), batch)


def _decode(pictures: PictureSource, index: int) -> npt.NDArray[np.uint8]:
    return decode_rgb8(pictures.read(index), pictures.names[index]).copy()  # writable, as torch requires


def _resize(faces: Tensor, size: int) -> Tensor:
    return to_uint8(resize(faces.float() / 255.0, (size, size)))

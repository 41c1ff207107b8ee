"""Square faces: decoded once, as bytes in memory; the batches of one-size sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lumiface.core.device import to_device
from lumiface.data.faults import Faults
from lumiface.data.sources import PictureSource, open_source
from lumiface.data.training.choose import choose_faces
from lumiface.degradations.resample import resize
from lumiface.imaging.io import decode_rgb8
from lumiface.imaging.quantize import to_uint8


def read_square_faces(
    sources: Sequence[str | Path],
    *,
    same_size: bool = True,
    names: Container[str] | None = None,
    limit: int | None = None,
    faults: Faults | None = None,
) -> Iterator[tuple[str, Tensor]]:
    """Decode the faces of folders, uncompressed tars and packs, one source after the other, on all cores.

    Args:
        sources: square, aligned faces.
        same_size: refuse faces of another size than most have.
        names: the pictures to read, by their path inside the source; None: all.
        limit: the number of pictures to read, from the first on.
        faults: takes the bad pictures, which the caller then settles; None: they are refused at the end.

    Yields:
        Name and pixels, (3, H, H) uint8.

    Raises:
        InputError: a source is absent or empty, or pictures cannot be read, are not square or of another
            size; the message names all of them.
    """
    collected = Faults() if faults is None else faults
    chosen = (
        (str(source), pictures, index)
        for source, pictures in [(source, open_source(source)) for source in sources]
        for index, name in enumerate(pictures.names)
        if names is None or name in names
    )
    faces = _square_faces(islice(chosen, limit), collected)
    if same_size:
        faces = _of_one_size(list(faces), collected)
    for _, name, pixels in faces:
        yield name, pixels
    if faults is None:
        collected.settle()


def load_face_tensor(
    sources: Sequence[str | Path], limit: int | None = None, faults: Faults | None = None
) -> Tensor:
    """The faces of folders or tars, one source after the other, (N, 3, H, H) uint8.

    Args:
        sources: folders, uncompressed tars or packs of square, aligned faces of one size.
        limit: the maximum number of faces.
        faults: as of `read_square_faces`; settled here where no face is left.

    Raises:
        InputError: a source is absent or empty, or pictures cannot be used.
    """
    faces = [pixels for _, pixels in read_square_faces(sources, limit=limit, faults=faults)]
    if not faces and faults is not None:
        faults.settle()
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
    chosen = to_device(torch.from_numpy(choose_faces(rng, len(faces), count)), faces.device)
    mirrored = to_device(torch.from_numpy(rng.random(count) < 0.5), faces.device)
    batch = faces[chosen].float() / 255.0
    return torch.where(mirrored[:, None, None, None], batch.flip(-1), batch)


def _square_faces(
    chosen: Iterator[tuple[str, PictureSource, int]], faults: Faults
) -> Iterator[tuple[str, str, Tensor]]:
    """Source, name and pixels of the square ones."""
    for (source, pictures, index), decoded in faults.usable(_decode, chosen):
        name, pixels = pictures.names[index], torch.from_numpy(decoded).permute(2, 0, 1)
        height, width = pixels.shape[1:]
        if height == width:
            yield source, name, pixels
        else:
            faults.note(f"{source}: {name} is {width}x{height}; the set needs square faces")


def _of_one_size(faces: list[tuple[str, str, Tensor]], faults: Faults) -> Iterator[tuple[str, str, Tensor]]:
    """Those of the size that most have."""
    sides = Counter(pixels.shape[-1] for _, _, pixels in faces)
    for source, name, pixels in faces:
        side, usual = pixels.shape[-1], sides.most_common(1)[0][0]
        if side == usual:
            yield source, name, pixels
        else:
            faults.note(f"{source}: {name} is {side}x{side}; the set needs faces of {usual}x{usual}")


def _decode(chosen: tuple[str, PictureSource, int]) -> npt.NDArray[np.uint8]:
    _, pictures, index = chosen
    return decode_rgb8(pictures.read(index), pictures.names[index]).copy()  # writable, as torch requires


def _resize(faces: Tensor, size: int) -> Tensor:
    return to_uint8(resize(faces.float() / 255.0, (size, size)))

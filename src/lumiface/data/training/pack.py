"""Faces to train on as one compressed file of limited size, for machines to which little can be copied."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, features

from lumiface.core.errors import InputError, SettingError
from lumiface.core.parallel import ordered_map
from lumiface.data.faults import Faults, usable_pictures
from lumiface.data.pack_file import pack_bytes, write_pack
from lumiface.data.sources import PictureSource, open_source
from lumiface.data.training.face_tensor import resize_faces
from lumiface.imaging.io import decode_rgb8

PackFormat = Literal["avif", "webp"]
Progress = Callable[[int | None, int | None, str], None]

MAX_QUALITY = 95
"""Above, files grow fast and nothing is gained."""

_SAMPLE = 400
"""Faces on which the quality is chosen."""
_PSNR_SAMPLE = 64
_OPTIONS: dict[PackFormat, dict[str, Any]] = {
    "avif": {"speed": 8, "subsampling": "4:2:0", "max_threads": 1},  # many pictures at once instead
    "webp": {"method": 4},
}


@dataclass(frozen=True, slots=True)
class PackReport:
    """What was written.

    Attributes:
        faces: their number.
        size: of the file, bytes.
        quality: of the encoder, 1 to 95.
        psnr: mean over a sample of the faces, dB, RGB, against the faces before encoding.
    """

    faces: int
    size: int
    quality: int
    psnr: float


class FacePacker:
    """Encodes the faces of several sources, each decoded when it is needed.

    Args:
        sources: folders, tars or packs of square faces.
        picture_format: of the encoded faces.
        side: larger faces are reduced to this side, pixels.
        workers: number of threads; the result does not depend on it.
        faults: what is done with faces that cannot be used; None: they are refused.

    Raises:
        InputError: a source cannot be read, or faces cannot be or are not square; names all of them.
    """

    def __init__(
        self,
        sources: Sequence[str | Path],
        picture_format: PackFormat = "avif",
        side: int | None = None,
        workers: int | None = None,
        faults: Faults | None = None,
    ) -> None:
        if not features.check(picture_format):
            raise SettingError(f"this Pillow has no {picture_format}: pip install -U pillow")
        self.pictures: PictureSource = usable_pictures(open_source(sources), _check_face, faults or Faults())
        self.format: PackFormat = picture_format
        self.side, self.workers = side, workers

    def face(self, index: int) -> npt.NDArray[np.uint8]:
        """One face, (H, H, 3), reduced if it is too large."""
        pixels = _check_face(self.pictures.read(index), self.pictures.names[index])
        height = len(pixels)
        if self.side is None or height <= self.side:
            return pixels
        planes = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None]
        return np.ascontiguousarray(resize_faces(planes, self.side)[0].permute(1, 2, 0).numpy())

    def encode(self, indices: Sequence[int], quality: int) -> list[bytes]:
        """Some faces, encoded, in the given order."""
        return list(ordered_map(lambda index: self._encode(self.face(index), quality), indices, self.workers))

    def psnr(self, indices: Sequence[int], encoded: Sequence[bytes]) -> float:
        """Mean PSNR of encoded faces in dB; a face without any error counts as 99 dB."""
        scores: list[float] = []
        for index, data in zip(indices, encoded, strict=True):
            decoded = decode_rgb8(data, self.pictures.names[index]).astype(np.float64)
            error = float(np.square(decoded - self.face(index)).mean())
            scores.append(99.0 if error == 0 else min(99.0, 10.0 * float(np.log10(255.0**2 / error))))
        return float(np.mean(scores))

    def _encode(self, pixels: npt.NDArray[np.uint8], quality: int) -> bytes:
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, format=self.format, quality=quality, **_OPTIONS[self.format])
        return out.getvalue()


def pack_faces(
    sources: Sequence[str | Path],
    path: Path,
    *,
    max_bytes: int,
    picture_format: PackFormat = "avif",
    side: int | None = None,
    workers: int | None = None,
    skip_bad: bool | None = None,
    log: Callable[[str], None] = print,
) -> PackReport:
    """Write the faces of the sources as one pack, at the highest quality at which it fits.

    The quality is found by bisection on a sample. If the whole is larger than the sample promised, a lower
    one follows. Order and names are those of the sources.

    Args:
        sources: folders, tars or packs of square faces; sizes may be mixed.
        path: of the pack.
        max_bytes: the most that the file may hold.
        picture_format: "avif" (smaller) or "webp" (faster to write).
        side: larger faces are reduced to this side, pixels.
        workers: number of threads; the result does not depend on it.
        skip_bad: leave out faces that cannot be used; see `Faults`.
        log: takes one line of text for each quality at which all faces are encoded.

    Raises:
        InputError: a source cannot be read, or faces cannot be used; nothing is written.
        SettingError: the faces do not fit at the lowest quality, or Pillow lacks the format.
        OutputError: the file cannot be written.
    """
    packer = FacePacker(sources, picture_format, side, workers, Faults(skip_bad, log))
    names = packer.pictures.names
    everything = range(len(names))
    sample = _spread(len(names), _SAMPLE)
    overhead = len(pack_bytes(picture_format, MAX_QUALITY, names, [b""] * len(names))) + 10 * len(names)
    sizes: dict[int, float] = {}

    def expected(quality: int) -> float:
        """Size of the whole by that of the sample, bytes."""
        if quality not in sizes:
            sizes[quality] = sum(map(len, packer.encode(sample, quality))) * len(names) / len(sample)
        return sizes[quality]

    highest, correction = MAX_QUALITY, 1.0
    while True:
        quality = _bisect(lambda q, factor=correction: factor * expected(q) + overhead <= max_bytes, highest)
        if quality is None:
            raise SettingError(
                f"{len(names)} faces do not fit in {max_bytes / 2**20:.3g} MiB; raise --max-mib, lower --side"
                " or name fewer sources"
            )
        log(f"encoding {len(names)} faces at quality {quality}")
        encoded = packer.encode(everything, quality)
        if len(pack_bytes(picture_format, quality, names, encoded)) <= max_bytes:
            break
        correction, highest = sum(map(len, encoded)) / expected(quality), quality - 1
    size = write_pack(path, picture_format, quality, names, encoded)
    scored = _spread(len(names), _PSNR_SAMPLE)
    psnr = packer.psnr(scored, [encoded[index] for index in scored])
    return PackReport(len(names), size, quality, psnr)


def _check_face(data: bytes, name: str) -> npt.NDArray[np.uint8]:
    """A decoded face, (H, H, 3)."""
    pixels = decode_rgb8(data, name)
    height, width = pixels.shape[:2]
    if height != width:
        raise InputError(f"{name} is {width}x{height}; a pack holds square faces")
    return pixels


def _bisect(fits: Callable[[int], bool], highest: int) -> int | None:
    """The largest quality from 1 to `highest` that fits, or None; what fits also does at every lower one."""
    low, high = 0, highest
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low or None


def _spread(count: int, most: int) -> list[int]:
    """At most `most` of `count` indices, evenly spread."""
    return sorted({round(index) for index in np.linspace(0, count - 1, min(count, most))})

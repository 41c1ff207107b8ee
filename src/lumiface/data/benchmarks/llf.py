"""The LLF benchmark (CelebA-LLF, Helen-LLF): dark small pictures with their bright large originals.

For each picture of any set of faces: decode; crop the centre square and resize it to `hr_size` (or keep the
native size); round to 8 bits — this is HR; darken; downscale by `scale`; round to 8 bits — this is LR.
LFSRNet, data section: `I_LR = Dark(I_HR)↓s`. From CelebA-HQ and Helen this rebuilds the paper's sets, up to
the paper's unpublished random numbers.

Every picture has its own random generator, seeded by (seed, name), so pictures do not depend on their order
or on the subset. All arithmetic is exact (see `degradations.resample`), so two machines build equal pixels
from equal pixels. Hashes are over the raw pixels, (H, W, 3) uint8 in row order, and not over the PNG files,
whose bytes change with the version of zlib. A JPEG source is as exact as its decoder; libjpeg-turbo, which
Pillow bundles, is exact.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lumiface.core.errors import SettingError
from lumiface.data.benchmarks.ground_truth import ground_truth, picture_seed, require_size
from lumiface.data.benchmarks.ground_truth import pixel_sha256 as pixel_sha256
from lumiface.data.sources import PictureSource
from lumiface.degradations.lowlight import (
    PAPER_RANGES,
    Darkening,
    DarkeningRanges,
    darken_exact,
    sample_darkening_exact,
)
from lumiface.degradations.resample import resize_exact, round_to_8_bit, to_grid
from lumiface.degradations.tasks import PairTask
from lumiface.imaging.io import decode_rgb8


@dataclass(frozen=True, slots=True)
class LLFSettings:
    """The settings of a set.

    Attributes:
        hr_size: of the square HR picture, pixels; None keeps the native size and shape, cropped at the centre
            to a multiple of `scale`.
        scale: HR size over LR size.
        seed: of the whole set; every picture's generator is seeded by it and the picture's name.
        ranges: of α, β, γ; the defaults are the paper's.
    """

    hr_size: int | None = 128
    scale: int = 4
    seed: int = 0
    ranges: DarkeningRanges = PAPER_RANGES

    def __post_init__(self) -> None:
        if self.scale < 1:
            raise SettingError(f"scale must be 1 or more, got {self.scale}")
        if self.hr_size is not None and (self.hr_size < 1 or self.hr_size % self.scale):
            raise SettingError(f"hr_size must be a multiple of the scale {self.scale}, got {self.hr_size}")


@dataclass(frozen=True, slots=True, eq=False)
class LLFPair:
    """One pair: `hr` (H, W, 3) and `lr` (H/s, W/s, 3), uint8 RGB, and the darkening's parameters."""

    name: str
    hr: npt.NDArray[np.uint8]
    lr: npt.NDArray[np.uint8]
    darkening: Darkening
    source_sha256: str


def build_pair(data: bytes, name: str, settings: LLFSettings) -> LLFPair:
    """Build the pair of one picture.

    Args:
        data: the bytes of the image file.
        name: its path inside the source; seeds the darkening, together with `settings.seed`.

    Raises:
        InputError: not an image, or smaller than `hr_size` (an enlarged picture is no ground truth).
    """
    hr, dark, darkening = _bright_and_dark(data, name, settings)
    lr = round_to_8_bit(resize_exact(dark, _small(hr, settings)))
    return LLFPair(name, hr, lr, darkening, hashlib.sha256(data).hexdigest())


def build_task_pair(
    data: bytes, name: str, settings: LLFSettings, task: PairTask
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Input and target of a task, (H, W, 3) uint8 each; darkened as in `build_pair`.

    Args:
        data, name, settings: as for `build_pair`.
        task: see `lumiface.degradations.tasks`.

    Raises:
        InputError: as for `build_pair`.
    """
    hr, dark, _ = _bright_and_dark(data, name, settings)
    if task == "enhance":
        return round_to_8_bit(dark), hr
    small = _small(hr, settings)
    bright_small = round_to_8_bit(resize_exact(to_grid(hr), small))
    if task == "sr":
        return bright_small, hr
    lr = round_to_8_bit(resize_exact(dark, small))
    return lr, {"joint": hr, "sr-dark": round_to_8_bit(dark), "enhance-small": bright_small}[task]


def _bright_and_dark(
    data: bytes, name: str, settings: LLFSettings
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], Darkening]:
    """HR in 8 bits, and the darkened picture on the fixed-point grid, from the picture's own generator."""
    hr = ground_truth(decode_rgb8(data, name), name, settings.hr_size, settings.scale)
    rng = generator_for(settings.seed, name)
    darkening = sample_darkening_exact(rng, settings.ranges)
    return hr, darken_exact(hr, darkening, rng), darkening


def _small(hr: npt.NDArray[np.uint8], settings: LLFSettings) -> tuple[int, int]:
    return hr.shape[0] // settings.scale, hr.shape[1] // settings.scale


def llf_check(settings: LLFSettings) -> Callable[[bytes, str], None]:
    """A function of bytes and name that raises an InputError for a picture of which no pair can be built."""
    return lambda data, name: require_size(decode_rgb8(data, name), name, settings.hr_size, settings.scale)


def llf_pairs(source: PictureSource, settings: LLFSettings) -> Iterator[LLFPair]:
    """Build pairs in memory, one by one, for an evaluation that needs no files."""
    for name, data in source.items():
        yield build_pair(data, name, settings)


def generator_for(seed: int, name: str) -> np.random.Generator:
    """The generator of one picture: PCG64 seeded with SHA-256 of "seed/name"."""
    return np.random.Generator(np.random.PCG64(picture_seed(seed, name)))

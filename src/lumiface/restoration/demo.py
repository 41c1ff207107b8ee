"""The demonstration: a bundled photograph, darkened by the LLF benchmark's formula, and damaged; restored."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lumiface.core.files import write_bytes
from lumiface.degradations.blind import BlindConfig, apply_blind, sample_blind
from lumiface.degradations.lowlight import Darkening, darken_exact
from lumiface.degradations.resample import resize, resize_exact, round_to_8_bit
from lumiface.figures.panels import labelled_row
from lumiface.imaging.io import Picture, decode_rgb8, encode_png, read_picture
from lumiface.imaging.quantize import from_uint8, quantize
from lumiface.restoration.batch import PictureRestorer

SCALE = 4
SEED = 0
DARKENING = Darkening(alpha=0.95, beta=0.6, gamma=4.0)


DAMAGE = BlindConfig(
    sigma=(4.0, 4.0),
    isotropic=1.0,
    factor=(3.0, 3.0),
    noise=(5.0, 5.0),
    quality=(60, 60),
    colour=0.0,
    grey=0.0,
)
"""Of the second picture: blur of 2 pixels, reduced to a third, noise of 5 levels, JPEG of quality 60."""

FACE = (slice(0, 256), slice(88, 344))
"""Rows and columns of the second picture."""


@dataclass(frozen=True, slots=True)
class Demo:
    """The files written: input, result, and both side by side with the original.

    Attributes:
        dark, restored, comparison: of a dark, small photograph.
        damaged, repaired, second_comparison: of a blurred, noisy and compressed one in enough light.
    """

    dark: Path
    restored: Path
    comparison: Path
    damaged: Path
    repaired: Path
    second_comparison: Path


def make_demo(folder: Path, enlarge: PictureRestorer, repair: PictureRestorer) -> Demo:
    """Degrade the bundled photograph in two ways, restore it, and write the files to `folder`.

    Args:
        folder: created if it is missing.
        enlarge: restorer with a scale of 4, for the dark photograph.
        repair: restorer with a scale of 1, for the damaged one.

    Raises:
        OutputError: the folder is not writable.
    """
    source = resources.files("lumiface.restoration") / "demo_data" / "astronaut.jpg"
    original = decode_rgb8(source.read_bytes(), "astronaut.jpg").copy()
    files = Demo(
        folder / "dark.png",
        folder / "restored.png",
        folder / "before-after.png",
        folder / "damaged.png",
        folder / "repaired.png",
        folder / "damaged-before-after.png",
    )
    small = (original.shape[0] // SCALE, original.shape[1] // SCALE)
    dark = darken_exact(original, DARKENING, np.random.Generator(np.random.PCG64(SEED)))
    write_bytes(files.dark, encode_png(round_to_8_bit(resize_exact(dark, small))))
    before, restored = _restored(files.dark, files.restored, enlarge)
    enlarged = resize(before, (original.shape[0], original.shape[1])).clamp(0.0, 1.0)
    comparison = labelled_row(
        [enlarged, restored, from_uint8(original)],
        [f"before: dark, {small[1]} x {small[0]} pixels, enlarged", "after: lumiface", "the original"],
    )
    write_bytes(files.comparison, encode_png(comparison))

    face = from_uint8(original[FACE].copy())
    generator = torch.Generator().manual_seed(SEED)
    parameters = sample_blind(1, face.shape[-1], DAMAGE, generator, "cpu")
    write_bytes(files.damaged, encode_png(quantize(apply_blind(face, parameters, generator))))
    before, repaired = _restored(files.damaged, files.repaired, repair)
    second = labelled_row(
        [before, repaired, face], ["before: blurred, noisy, JPEG", "after: lumiface", "the original"]
    )
    write_bytes(files.second_comparison, encode_png(second))
    return files


def _restored(source: Path, target: Path, restorer: PictureRestorer) -> tuple[Tensor, Tensor]:
    """Restore a file, as a user's is, and write the result; (1, 3, H, W) before and after."""
    picture = read_picture(source)
    restored = restorer(Picture(picture.rgb, None, picture.info)).picture.rgb
    write_bytes(target, encode_png(restored))
    return picture.rgb, restored

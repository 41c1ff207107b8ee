"""The demonstration: a bundled photograph, degraded by the LLF benchmark's formula and restored."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from lumiface.core.files import write_bytes
from lumiface.degradations.lowlight import Darkening, darken_exact
from lumiface.degradations.resample import resize, resize_exact, round_to_8_bit
from lumiface.figures.panels import labelled_row
from lumiface.imaging.io import Picture, decode_rgb8, encode_png, read_picture
from lumiface.imaging.quantize import from_uint8
from lumiface.restoration.batch import PictureRestorer

SCALE = 4
SEED = 0
DARKENING = Darkening(alpha=0.95, beta=0.6, gamma=4.0)


@dataclass(frozen=True, slots=True)
class Demo:
    """The files written: the dark input, the result, and both side by side with the original."""

    dark: Path
    restored: Path
    comparison: Path


def make_demo(folder: Path, restorer: PictureRestorer) -> Demo:
    """Write dark.png, restored.png and before-after.png to `folder`; the scale of `restorer` must be 4.

    Raises:
        OutputError: the folder is not writable.
    """
    source = resources.files("lumiface.restoration") / "demo_data" / "astronaut.jpg"
    original = decode_rgb8(source.read_bytes(), "astronaut.jpg").copy()
    small = (original.shape[0] // SCALE, original.shape[1] // SCALE)
    dark = darken_exact(original, DARKENING, np.random.Generator(np.random.PCG64(SEED)))
    files = Demo(folder / "dark.png", folder / "restored.png", folder / "before-after.png")
    write_bytes(files.dark, encode_png(round_to_8_bit(resize_exact(dark, small))))

    picture = read_picture(files.dark)  # from the file: the restorer gets the same input as a user's
    restored = restorer(Picture(picture.rgb, None, picture.info)).picture.rgb
    write_bytes(files.restored, encode_png(restored))
    before = resize(picture.rgb, (original.shape[0], original.shape[1])).clamp(0.0, 1.0)
    comparison = labelled_row(
        [before, restored, from_uint8(original)],
        [f"before: dark, {small[1]} x {small[0]} pixels, enlarged", "after: lumiface", "the original"],
    )
    write_bytes(files.comparison, encode_png(comparison))
    return files

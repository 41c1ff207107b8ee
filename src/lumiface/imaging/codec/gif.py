"""Frames -> a GIF that runs for ever, with one palette for all, so that nothing flickers."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor


def encode_gif(frames: Sequence[Tensor], milliseconds: int) -> bytes:
    """Pack frames (3, H, W) in [0, 1].

    Args:
        milliseconds: for which each frame is shown; GIF counts in tens of them.

    Raises:
        ValueError: there is no frame, or they differ in size.
    """
    if not frames or len({tuple(frame.shape) for frame in frames}) != 1:
        raise ValueError("an animation needs frames of one size")
    pictures = [Image.fromarray(_bytes(frame)) for frame in frames]
    # All frames side by side decide on the palette.
    strip = Image.fromarray(np.concatenate([np.asarray(picture) for picture in pictures], axis=1))
    palette = strip.quantize(256, method=Image.Quantize.MEDIANCUT)
    first, *rest = (
        picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for picture in pictures
    )
    out = io.BytesIO()
    first.save(out, "GIF", save_all=True, append_images=rest, duration=milliseconds, loop=0)
    return out.getvalue()


def _bytes(frame: Tensor) -> npt.NDArray[np.uint8]:
    scaled = (frame.clamp(0.0, 1.0) * 255.0 + 0.5).floor()
    return scaled.permute(1, 2, 0).cpu().numpy().astype(np.uint8)

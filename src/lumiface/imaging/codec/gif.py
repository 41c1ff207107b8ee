"""Frames → an endlessly looping GIF with one palette for all frames, which avoids flicker."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image
from torch import Tensor

from lumiface.imaging.quantize import to_samples


def encode_gif(frames: Sequence[Tensor], milliseconds: int) -> bytes:
    """Encode frames (3, H, W) in [0, 1].

    Args:
        milliseconds: duration of each frame; GIF stores multiples of 10.

    Raises:
        ValueError: there is no frame, or the frames differ in size.
    """
    if not frames or len({tuple(frame.shape) for frame in frames}) != 1:
        raise ValueError("an animation needs frames of one size")
    pictures = [Image.fromarray(to_samples(frame, np.uint8)) for frame in frames]
    # The palette is computed from all frames side by side.
    strip = Image.fromarray(np.concatenate([np.asarray(picture) for picture in pictures], axis=1))
    palette = strip.quantize(256, method=Image.Quantize.MEDIANCUT)
    first, *rest = (
        picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for picture in pictures
    )
    out = io.BytesIO()
    first.save(out, "GIF", save_all=True, append_images=rest, duration=milliseconds, loop=0)
    return out.getvalue()

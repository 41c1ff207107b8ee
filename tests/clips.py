"""Small videos, and a restorer without networks."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

av = pytest.importorskip("av")

SIZE = (48, 64)


def colours(index: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A frame whose left and right halves are of one colour each."""
    picture = np.empty((*size, 3), np.uint8)
    picture[:, : size[1] // 2] = (200, 40 + 2 * index, 60)
    picture[:, size[1] // 2 :] = (30, 90, 220 - 2 * index)
    return picture


def write_video(
    path: Path,
    frames: Sequence[np.ndarray],
    times: Sequence[int] | None = None,
    *,
    sound: bool = True,
    matrix: int = 5,
    **options: Any,
) -> Path:
    """H.264 with the given times (in 1/1000 s), and a tone as AAC."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"crf": "4"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.colorspace = matrix
        for name, value in options.items():
            setattr(stream.codec_context, name, value)
        tone: Any = container.add_stream("aac", rate=16000) if sound else None
        for index, rgb in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=matrix)
            frame.pts = times[index] if times else 40 * index
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if tone is not None:
            for start in range(0, 16000 * len(frames) // 25, 1024):
                wave = np.sin(0.1 * np.arange(start, start + 1024, dtype=np.float32))[None]
                part = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
                part.sample_rate, part.pts = 16000, start
                container.mux(tone.encode(part))
            container.mux(tone.encode())
    return path


class Inverting:
    """Does what `Restorer` does for a video, but only inverts it."""

    device = torch.device("cpu")
    detector: Any = None
    log = None

    def __init__(self, scale: int | None = None, **options: Any) -> None:
        from lumiface.restoration.config import RestoreConfig

        self.config = RestoreConfig.model_validate({"faces": "none", "scale": scale, **options})
        self.painted = 0

    def face_restorer(self, *_: Any) -> list[Any]:
        return []

    def paint(self, rgb: Tensor, *arguments: Any) -> Tensor:
        self.painted += 1
        scale = arguments[3]
        return 1.0 - rgb.repeat_interleave(scale, 2).repeat_interleave(scale, 3)

"""Reading a video: upright RGB frames with their times and colours, one after the other."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lumiface.core.errors import InputError, SettingError

_BT601, _BT709, _UNKNOWN = 5, 1, 2  # FFmpeg's numbers of matrices
_HDR = {16: "PQ", 18: "HLG"}  # and of transfer curves


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """One frame.

    Attributes:
        rgb: (H, W, 3) uint8, upright, full range.
        index: its number, from 0.
        pts: its time in units of `VideoInfo.time_base`; larger from frame to frame.
    """

    rgb: npt.NDArray[np.uint8]
    index: int
    pts: int


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a file says of its video.

    Attributes:
        width, height: of the upright frames.
        time_base: seconds per unit of time.
        rate: frames per second on average.
        frames: their number, estimated by the duration if the file does not say it; 0: unknown.
        matrix: FFmpeg's number of the YUV matrix: that of the file, or by the height if it says none.
        aspect: width over height of a pixel.
    """

    width: int
    height: int
    time_base: Fraction
    rate: Fraction
    frames: int
    matrix: int
    aspect: Fraction


@contextmanager
def open_video(path: Path) -> Generator[Any]:
    """PyAV's container of a video, closed at the end.

    Raises:
        InputError: it cannot be read, at any time inside the block, or holds no video.
        SettingError: PyAV is not installed.
    """
    if find_spec("av") is None:
        raise SettingError("videos need PyAV: pip install 'lumiface[video]'")
    import av
    from av.error import FFmpegError

    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InputError(f"{path} contains no video; name a video, or use `lumiface restore`")
            yield container
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the name") from None
    except (FFmpegError, OSError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise InputError(f"{path} cannot be read as a video ({reason}); check the file") from error


def describe_video(path: Path) -> VideoInfo:
    """Size, times and colours of a video, by its first frame.

    Raises:
        InputError: it cannot be read, is without a frame, or is of high dynamic range.
        SettingError: PyAV is not installed.
    """
    with open_video(path) as container:
        stream = container.streams.video[0]
        frame = next(container.decode(stream), None)
        if frame is None:
            raise InputError(f"{path} contains no frame; check the file")
        if (curve := int(frame.color_trc or 0)) in _HDR:
            raise InputError(
                f"{path} is of high dynamic range ({_HDR[curve]}), which is not supported; convert it to "
                "standard range first"
            )
        rgb = _upright(frame, _matrix(frame))
        rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
        duration = stream.duration * stream.time_base if stream.duration else None
        if duration is None and container.duration:
            duration = Fraction(container.duration, 1_000_000)
        return VideoInfo(
            width=rgb.shape[1],
            height=rgb.shape[0],
            time_base=Fraction(stream.time_base),
            rate=rate,
            frames=stream.frames or round((duration or 0) * rate),
            matrix=_matrix(frame),
            aspect=_aspect(stream, frame),
        )


def read_frames(path: Path, info: VideoInfo) -> Iterator[VideoFrame]:
    """All frames in the order of their times.

    Raises:
        InputError: the file cannot be read, or its frames change their size.
    """
    with open_video(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        last = -1
        step = max(1, round(1 / (info.rate * info.time_base)))
        for index, frame in enumerate(container.decode(stream)):
            rgb = _upright(frame, info.matrix)
            if rgb.shape[:2] != (info.height, info.width):
                raise InputError(
                    f"{path} changes its size from {info.width} x {info.height} to {rgb.shape[1]} x "
                    f"{rgb.shape[0]} at frame {index}; cut it there"
                )
            pts = frame.pts if frame.pts is not None else last + step
            # Times of the first frames may be negative; equal ones are a fault of the recording.
            last = pts if index == 0 else max(pts, last + 1)
            yield VideoFrame(rgb, index, last)


def _upright(frame: Any, matrix: int) -> npt.NDArray[np.uint8]:
    """The metadata gives the rotation that makes the frame upright: anticlockwise, in 90 degrees steps."""
    rgb = frame.to_ndarray(format="rgb24", src_colorspace=matrix, interpolation="BICUBIC")
    return np.ascontiguousarray(np.rot90(rgb, round(frame.rotation / 90)), dtype=np.uint8)


def _matrix(frame: Any) -> int:
    stated = int(frame.colorspace)
    if stated in (_BT601, _BT709, 6):  # 6: SMPTE 170M, the matrix of BT.601
        return stated
    return _BT709 if min(frame.height, frame.width) >= 720 else _BT601


def _aspect(stream: Any, frame: Any) -> Fraction:
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    aspect = aspect if aspect > 0 else Fraction(1)
    return 1 / aspect if round(frame.rotation / 90) % 2 else aspect

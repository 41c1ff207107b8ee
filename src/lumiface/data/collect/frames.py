"""Frames of videos and of single pictures, one at a time in memory.

Videos are decoded by PyAV (FFmpeg), from the optional extra `video`; without it only pictures can be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lumiface.core.errors import InputError, SettingError
from lumiface.data.sources import Entry, PictureSource, expand, is_picture_name, open_source
from lumiface.imaging.io import PICTURE_SUFFIXES, decode_rgb8

VIDEO_SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv",
    ".3gp", ".ogv",
)  # fmt: skip
"""The file name endings of videos, in lower case."""

_LATE = 1e-6  # seconds: time stamps are rounded


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One upright frame: (H, W, 3) uint8 RGB, and its time in seconds (None: a single picture)."""

    picture: npt.NDArray[np.uint8]
    time: float | None


@dataclass(frozen=True, slots=True)
class FrameSource:
    """A video, or a picture treated as a video of one frame; no file is open until it is read.

    Attributes:
        name: its path inside the input folder or archive.
        path: the file, or the archive that contains the picture.
        picture: the picture, or None for a video.
    """

    name: str
    path: Path
    picture: PictureSource | None = None

    @property
    def bytes(self) -> int:
        """Size of the file, or of the archive's part that is the picture.

        Raises:
            InputError: it no longer exists.
        """
        if self.picture is not None and self.picture.entries[0].offset is not None:
            return self.picture.entries[0].size
        try:
            return self.path.stat().st_size
        except OSError as error:
            raise InputError(f"{self.path} cannot be read ({error.strerror}); check the file") from error

    def frames(self, every: float = 0.0) -> Iterator[Frame]:
        """The frames in order, rotated upright.

        Args:
            every: minimum time between two frames, seconds; 0: all frames. A picture has one.

        Raises:
            InputError: the file cannot be read, or a video is damaged; the frames before the damage have been
                returned by then.
            SettingError: the source is a video, and PyAV is not installed.
        """
        if self.picture is None:
            yield from _video_frames(self.path, every)
        else:
            yield Frame(decode_rgb8(self.picture.read(0), self.name), None)


def open_frames(paths: Sequence[str | Path]) -> list[FrameSource]:
    """Find videos and pictures in folders (recursively, in sorted order), uncompressed tars of pictures,
    files, and globs of these. Hidden files are skipped.

    Raises:
        InputError: a path does not exist, a file is of neither kind, or nothing is found.
        SettingError: there are videos, and PyAV is not installed.
    """
    sources: list[FrameSource] = []
    for found in (found for path in paths for found in expand(path)):
        if found.is_dir():
            inside = sorted((file.relative_to(found).as_posix(), file) for file in found.rglob("*"))
            sources += [_file(name, file) for name, file in inside if _is_frame_file(file) and file.is_file()]
        elif found.suffix.lower() in VIDEO_SUFFIXES:
            sources.append(FrameSource(found.name, found))
        else:
            entries = open_source(found).entries
            sources += [FrameSource(e.name, e.container, PictureSource([e])) for e in entries]
    if not sources:
        supported = " ".join(VIDEO_SUFFIXES + PICTURE_SUFFIXES)
        raise InputError(f"no video or picture in {', '.join(map(str, paths))}; supported are {supported}")
    for source in sources:
        if source.picture is None:
            _require_decoder(source.path)
            break
    return sources


def _require_decoder(path: Path) -> None:
    if find_spec("av") is None:
        raise SettingError(f"{path} is a video, which needs PyAV: pip install 'lumiface[video]'")


def _is_frame_file(file: Path) -> bool:
    is_video = file.suffix.lower() in VIDEO_SUFFIXES and not file.name.startswith(".")
    return is_video or is_picture_name(file.name)


def _file(name: str, file: Path) -> FrameSource:
    is_video = file.suffix.lower() in VIDEO_SUFFIXES
    return FrameSource(name, file, None if is_video else PictureSource([Entry(name, file)]))


def _video_frames(path: Path, every: float) -> Iterator[Frame]:
    _require_decoder(path)
    import av
    from av.error import FFmpegError

    time = 0.0
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InputError(f"{path} contains no video; remove it")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            rate = float(stream.average_rate or 25)
            due: float | None = None
            for number, frame in enumerate(container.decode(stream)):
                time = number / rate if frame.pts is None else frame.time
                if due is not None and time + _LATE < due:
                    continue
                due = time + every
                # The metadata gives the rotation that makes the frame upright: anticlockwise, in 90° steps.
                picture = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
                yield Frame(np.ascontiguousarray(picture, dtype=np.uint8), time)
    except (FFmpegError, OSError) as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(
            f"{path} cannot be read as a video after {time:.1f} s ({reason}); check the file"
        ) from error

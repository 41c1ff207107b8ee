"""Writing a video: parts that survive an interruption, joined with the sound of the source at the end."""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lumiface.core.errors import InputError, OutputError
from lumiface.video.frames import VideoFrame, VideoInfo, open_video

SUFFIXES = (".mp4", ".mkv", ".mov")
"""Containers that are written."""


class PartWriter:
    """Encodes frames into one file, which has its name only once it is whole.

    H.264 without B-frames, so that parts can be joined packet by packet. The format of a part (NUT) keeps the
    time base of the source.

    Args:
        path: of the part.
        info: of the source.
        quality: 0 (lossless but for the chroma) to 51 (worst), x264's constant rate factor.

    Raises:
        OutputError: it cannot be written.
    """

    def __init__(self, path: Path, info: VideoInfo, quality: float) -> None:
        self.path, self.info, self.quality = path, info, quality
        self.temporary = path.with_name(f".{path.name}.tmp")
        self.container: Any = None
        self.stream: Any = None

    def write(self, frame: VideoFrame) -> None:
        """Append a frame; the first decides the size."""
        import av

        rgb = _even(frame.rgb)
        if self.container is None:
            self._open(rgb.shape[1], rgb.shape[0])
        picture = av.VideoFrame.from_ndarray(rgb, format="rgb24")
        picture = picture.reformat(format="yuv420p", dst_colorspace=self.info.matrix, interpolation="BICUBIC")
        picture.pts, picture.time_base = frame.pts, self.info.time_base
        self._mux(self.stream.encode(picture))

    def close(self) -> None:
        """Finish the part and give it its name."""
        if self.container is not None:
            self._mux(self.stream.encode())
            self.container.close()
            os.replace(self.temporary, self.path)

    def discard(self) -> None:
        """Leave nothing of an unfinished part."""
        if self.container is not None:
            with suppress(Exception):
                self.container.close()
        self.temporary.unlink(missing_ok=True)

    def _open(self, width: int, height: int) -> None:
        import av

        self.container = av.open(str(self.temporary), "w", format="nut")
        options = {"crf": f"{self.quality:g}", "preset": "medium", "bf": "0"}
        stream: Any = self.container.add_stream("libx264", rate=self.info.rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = self.info.time_base
        stream.codec_context.sample_aspect_ratio = self.info.aspect
        stream.codec_context.colorspace = self.info.matrix
        stream.codec_context.color_range = 1  # limited, as nearly all video is
        self.stream = stream

    def _mux(self, packets: Sequence[Any]) -> None:
        try:
            self.container.mux(packets)
        except OSError as error:
            raise OutputError(
                f"{self.path.parent} cannot be written ({error.strerror or error}); check the free space"
            ) from error


def join_parts(
    parts: Sequence[Path], source: Path, target: Path, comment: Callable[[str | None], str | None]
) -> list[str]:
    """Write the parts one after the other, with sound, subtitles and metadata of the source, unchanged.

    Args:
        comment: the comment of the source -> that of the result.

    Returns:
        what of the source the container cannot hold, one line each.

    Raises:
        OutputError: the file cannot be written.
    """
    import av
    from av.error import FFmpegError

    temporary = target.with_name(f".{target.name}.tmp{target.suffix}")
    left: list[str] = []
    try:
        with open_video(source) as original, av.open(str(temporary), "w") as joined:
            with av.open(str(parts[0])) as first:
                picture = joined.add_stream_from_template(first.streams.video[0])
            joined.metadata.update(
                {key: value for key, value in original.metadata.items() if key not in _OF_THE_FILE}
            )
            _set_comment(joined.metadata, comment)
            copies: dict[int, Any] = {}
            for stream in original.streams:
                if stream.type == "video":
                    continue
                try:
                    copies[stream.index] = joined.add_stream_from_template(stream)
                    copies[stream.index].metadata.update(stream.metadata)
                except (ValueError, FFmpegError, AttributeError):
                    left.append(f"{_name(stream)} cannot be kept in {target.suffix}")
            _mux_in_order(joined, picture, _packets(parts), original, copies)
        os.replace(temporary, target)
    except (FFmpegError, OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = str(getattr(error, "strerror", None) or error).lower()
        raise OutputError(
            f"{target} cannot be written ({reason}); check the free space, or name a .mkv, which holds every "
            "kind of sound"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return left


_OF_THE_FILE = {"encoder", "major_brand", "minor_version", "compatible_brands", "duration"}
"""Metadata that describe the file and not the film."""


def _set_comment(metadata: dict[str, str], change: Callable[[str | None], str | None]) -> None:
    """Matroska writes its names in capitals."""
    name = next((key for key in metadata if key.lower() == "comment"), "comment")
    comment = change(metadata.get(name))
    if comment is not None:
        metadata[name] = comment


def _mux_in_order(
    joined: Any, picture: Any, frames: Iterator[Any], original: Any, copies: dict[int, Any]
) -> None:
    """Packets in the order of their times, so that nothing is held back."""

    def kept() -> Iterator[tuple[float, int, Any, Any]]:
        for packet in original.demux([original.streams[index] for index in copies]):
            if packet.dts is not None:
                yield float(packet.dts * packet.time_base), 1, packet, copies[packet.stream.index]

    pictures = ((float(packet.dts * packet.time_base), 0, packet, picture) for packet in frames)
    sources = [pictures, kept()] if copies else [pictures]
    for _, _, packet, stream in heapq.merge(*sources, key=lambda entry: entry[:2]):
        packet.stream = stream
        joined.mux(packet)


def _packets(parts: Sequence[Path]) -> Iterator[Any]:
    import av

    for part in parts:
        with av.open(str(part)) as container:
            for packet in container.demux(container.streams.video[0]):
                if packet.dts is not None:
                    yield packet


def _name(stream: Any) -> str:
    codec = getattr(getattr(stream, "codec_context", None), "name", None)
    return f"{stream.type} ({codec})" if codec else str(stream.type)


def _even(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The colours of yuv420p are stored for every 2 x 2 pixels: an odd side gets its last pixels again."""
    height, width = rgb.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return np.ascontiguousarray(rgb)
    return np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")

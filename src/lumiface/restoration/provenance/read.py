"""`read_provenance`: what a file says of its restoration."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from lumiface.core.errors import InputError, SettingError
from lumiface.core.files import read_bytes
from lumiface.imaging.codec.decode import decode_metadata
from lumiface.restoration.provenance.mark import record_of, record_of_comment

VIDEOS = (".mp4", ".mkv", ".mov")
"""Files that are read as videos."""


def read_provenance(path: str | PathLike[str]) -> dict[str, Any] | None:
    """What `restore` wrote into a result's metadata, or None if there is no such record.

    The pixels are not decoded. Metadata can be removed or changed by anyone: a record says what was done, its
    absence says nothing.

    Args:
        path: a picture of any kind that is read, or a video (.mp4, .mkv, .mov).

    Returns:
        "software", "task", "models", "scale", "settings" (those that differ from the defaults), "source_type"
        (of IPTC), "actions" (names of C2PA), "faces" (box in pixels of the input, treatment, own_light, trust
        if it was measured), and "history" of earlier restorations, if there were any; see
        docs/use/provenance.md. Of a file with several pages the first record.

    Raises:
        InputError: the file is missing, or no picture.
        SettingError: it is a video, and PyAV is not installed.
    """
    path = Path(path)
    if path.suffix.lower() in VIDEOS:
        return record_of_comment(_comment_of_video(path))
    found = (record_of(metadata) for metadata in decode_metadata(read_bytes(path), str(path)))
    return next((record for record in found if record is not None), None)


def _comment_of_video(path: Path) -> str | None:
    try:
        import av
        from av.error import FFmpegError
    except ImportError:
        raise SettingError(f'{path}: videos need PyAV: pip install "lumiface[video]"') from None
    try:
        with av.open(str(path)) as container:
            return next(
                (value for key, value in container.metadata.items() if key.lower() == "comment"), None
            )
    except (FFmpegError, OSError) as error:
        raise InputError(f"{path} cannot be read as a video ({error.strerror or error}); check it") from error

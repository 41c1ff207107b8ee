"""A whole video: restored in parts that survive an interruption, joined at the end."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from lumiface import __version__
from lumiface.core.errors import InputError, OutputError, SettingError
from lumiface.core.files import write_bytes
from lumiface.faces.find import find_faces
from lumiface.faces.measure import measure_face
from lumiface.imaging.quantize import from_uint8
from lumiface.registry import chain_stages, foreign_note, foreign_stages
from lumiface.restoration.memory import fitting_scale
from lumiface.restoration.provenance.mark import video_comment
from lumiface.restoration.restorer import Restorer
from lumiface.video.encode import SUFFIXES, PartWriter, join_parts
from lumiface.video.frames import VideoInfo, describe_video, read_frames
from lumiface.video.restorer import VideoRestorer

QUALITY = 16.0
"""x264's constant rate factor: hardly visible losses."""

_PART_SECONDS = 5.0
_WARM_UP_SECONDS = 2.0  # restored again after an interruption, so that what is remembered is as it was
_LOOKED_AT = 24  # frames from whose faces the scale is chosen
_PART = re.compile(r"(\d+)-(\d+)\.nut")


@dataclass(slots=True)
class VideoSummary:
    """What was done.

    Attributes:
        target: the result.
        frames: their number.
        resumed: frames that an earlier, interrupted run had finished.
        scale: enlargement.
        notes: remarks for the user.
    """

    target: Path
    frames: int
    resumed: int
    scale: int
    notes: list[str] = field(default_factory=list[str])


def restore_video(
    source: Path,
    target: Path,
    restorer: Restorer,
    *,
    quality: float = QUALITY,
    overwrite: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> VideoSummary:
    """Restore a video: every frame, with its time, and the sound as it is.

    Parts of five seconds are written into a folder beside the target, `.NAME.parts`; if the work is
    interrupted, the same call goes on after the last whole part. Memory does not grow with the length.

    Args:
        source: any video that FFmpeg reads.
        target: .mp4, .mkv or .mov.
        restorer: for photographs; its settings are used. Without a scale there, the faces of the first frames
            decide.
        quality: 0 to 51, x264's constant rate factor; smaller is better and larger on the disk.
        progress: called with (frames done, estimated total, a word on the work).

    Raises:
        InputError: the source cannot be read.
        OutputError: the target cannot be written, or is there already and not to be replaced.
        SettingError: a setting is out of range, or PyAV is not installed.
    """
    _check(source, target, quality, overwrite=overwrite)
    info = describe_video(source)
    scale = _choose_scale(source, info, restorer)
    folder = target.with_name(f".{target.name}.parts")
    _prepare(folder, _key(source, restorer, scale, quality))
    rate, done = float(info.rate), sum(count for _, count in _parts(folder))
    resumed = done
    frames = VideoRestorer(restorer, rate, scale)(
        itertools.islice(read_frames(source, info), max(0, done - round(_WARM_UP_SECONDS * rate)), None)
    )
    frames = itertools.dropwhile(lambda frame: frame.index < resumed, frames)
    size = max(1, round(_PART_SECONDS * rate))
    total = max(info.frames, done)
    while True:
        part = PartWriter(folder / "part.nut", info, quality)
        try:
            count = 0
            for frame in itertools.islice(frames, size):
                part.write(frame)
                count += 1
                if progress is not None:
                    progress(done + count, max(total, done + count), source.name)
        except BaseException:
            part.discard()
            raise
        if count == 0:
            break
        part.path = folder / f"{done:08d}-{count}.nut"
        part.close()
        done += count
    comment = partial(video_comment, maker=restorer, scale=scale)
    left = join_parts([path for path, _ in _parts(folder)], source, target, comment)
    shutil.rmtree(folder)
    models = restorer.face_restorer.possible_models() if restorer.config.faces != "none" else []
    foreign = [foreign_note(stage) for model in models for stage in foreign_stages(model)]
    return VideoSummary(target, done, resumed, scale, [*left, *foreign])


def _check(source: Path, target: Path, quality: float, *, overwrite: bool) -> None:
    if not 0.0 <= quality <= 51.0:
        raise SettingError(f"quality {quality:g}: from 0, the best, to 51")
    if not source.is_file():
        raise InputError(f"{source}: there is no such file; check the name")
    if target.suffix.lower() not in SUFFIXES:
        raise SettingError(f"{target}: videos are written as {', '.join(SUFFIXES)}; change the name")
    if target.exists() and target.resolve() == source.resolve():
        raise SettingError(f"{target} is the input itself; name another output")
    if target.exists() and not overwrite:
        raise OutputError(f"{target} is already there; use --overwrite to replace it")


def _choose_scale(source: Path, info: VideoInfo, restorer: Restorer) -> int:
    """That of the settings; else that of the first frame that has a face; no larger than is allowed."""
    wanted = restorer.config.scale
    if wanted is None:
        wanted = 1
        for frame in itertools.islice(read_frames(source, info), 0, _LOOKED_AT, 6):
            rgb = from_uint8(frame.rgb).to(restorer.device)
            faces = find_faces(rgb, restorer.detector, which=restorer.config.faces)
            if faces:
                wanted = restorer.face_restorer.scale([measure_face(rgb, face) for face in faces])
                break
    return fitting_scale(info.height, info.width, wanted, restorer.config.max_output_megapixels)


def _key(source: Path, restorer: Restorer, scale: int, quality: float) -> str:
    """What parts of an earlier run must have been made from and with, to be used."""
    settings = restorer.config.model_dump(mode="json")
    model = getattr(restorer.face_restorer, "model", None)
    models = [*chain_stages(model or ""), restorer.config.background_model or ""]
    files = [source, *(Path(name) for name in models if Path(name).is_file())]  # weights may be replaced
    states = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    found = [__version__, states, settings, model, scale, quality]
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def _prepare(folder: Path, key: str) -> None:
    """The folder of the parts; what lies there from another source or with other settings is dropped."""
    file = folder / "made-with.txt"
    try:
        if folder.exists() and not (file.is_file() and file.read_text(encoding="utf-8") == key):
            shutil.rmtree(folder)
    except OSError as error:
        raise OutputError(f"{folder} cannot be used ({error.strerror or error}); remove it") from error
    write_bytes(file, key.encode())


def _parts(folder: Path) -> list[tuple[Path, int]]:
    """The whole parts and their numbers of frames, from the first without a gap."""
    found = sorted(
        (int(match[1]), int(match[2]), path)
        for path in folder.iterdir()
        if (match := _PART.fullmatch(path.name))
    )
    parts, done = list[tuple[Path, int]](), 0
    for start, count, path in found:
        if start != done:
            break
        parts.append((path, count))
        done += count
    return parts

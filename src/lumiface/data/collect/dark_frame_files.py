"""Dark faces on disk: OUT/*.png, and OUT/report.jsonl, one line per source (a video or a picture).

A line contains the source's name, the settings, the number of frames examined, the number of frames rejected
per reason, and for each face written its file, time, luma, sharpness, side, score and hash. A line is written
when its source is finished, so an interrupted run resumes with the next source. Later runs may add sources to
the same folder; duplicates of its faces are rejected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import torch

from lumiface.core.errors import InputError, OutputError
from lumiface.core.files import write_bytes
from lumiface.data.benchmarks.pair_files import Record, append_record, inside, read_records
from lumiface.data.collect.dark_frames import DarkFace, DarkFaceSelector, DarkFrameConfig
from lumiface.data.collect.frames import Frame, FrameSource
from lumiface.imaging.io import encode_png

REPORT = "report.jsonl"


@dataclass(slots=True)
class DarkFaces:
    """The result of a collection, over all sources of a call, those of earlier runs included.

    Attributes:
        report: path of the report.
        frames: number of frames examined.
        written: number of faces written.
        rejected: reason -> number of frames rejected.
        failures: one line per source that could not be read completely.
    """

    report: Path
    frames: int = 0
    written: int = 0
    rejected: Counter[str] = field(default_factory=Counter[str])
    failures: list[str] = field(default_factory=list[str])

    def add(self, record: Record) -> None:
        self.frames += record["frames"]
        self.written += len(record["faces"])
        self.rejected.update(record["rejected"])
        if record["error"]:
            self.failures.append(record["error"])


def collect_dark_faces(
    sources: Sequence[FrameSource],
    out: str | Path,
    config: DarkFrameConfig,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int, str], None] | None = None,
) -> DarkFaces:
    """Examine videos and pictures, and write the dark faces found in them, losslessly.

    Args:
        sources: see `frames.open_frames`.
        out: the folder; created if needed. A video clip.mp4 yields files clip/TIME.png with the time in
            milliseconds, a picture face.jpg yields face.png.
        progress: called with (number of finished sources, total number, name of the current source).

    Raises:
        InputError: two sources would share a name in the folder.
        OutputError: the folder holds faces selected with other settings, or of another source of the same
            name.
    """
    out = Path(out)
    _check_names(sources)
    records = read_records(out / REPORT, unfinished=True, key="source")
    settings = config.model_dump(mode="json")
    for record in records.values():
        if record["settings"] != settings:
            raise OutputError(
                f"{out} holds faces selected with other settings; choose another folder or remove it"
            )
    selector = DarkFaceSelector(config, device)
    selector.hashes += [int(face["hash"], 16) for record in records.values() for face in record["faces"]]
    result = DarkFaces(out / REPORT)
    for number, source in enumerate(sources):
        if progress is not None:
            progress(number, len(sources), source.name)
        record = records.get(source.name)
        if record is not None and record["error"]:  # tried again: the file may have been repaired
            earlier = {int(face["hash"], 16) for face in record["faces"]}
            selector.hashes = [known for known in selector.hashes if known not in earlier]
            record = None
        if record is None:
            record = {"source": source.name, "bytes": source.bytes, "settings": settings}
            record |= _examine(source, out, selector, config.every)
            append_record(out / REPORT, record)
        elif record["bytes"] != source.bytes:
            raise OutputError(
                f"{out} holds the faces of another {source.name}; rename this one or choose another folder"
            )
        result.add(record)
    return result


def _examine(source: FrameSource, out: Path, selector: DarkFaceSelector, every: float) -> Record:
    """One source from its first frame to its last."""
    count, error = 0, None
    rejected: Counter[str] = Counter()
    faces: list[Record] = []
    try:
        for frame in source.frames(every):
            count += 1
            face = selector(frame.picture)
            if isinstance(face, str):
                rejected[face] += 1
                continue
            file = _file(source, frame)
            write_bytes(out / file, encode_png(face.picture))
            faces.append({"file": file, "time": frame.time, **_measures(face)})
    except InputError as fault:
        error = str(fault)
    return {"frames": count, "rejected": dict(rejected), "error": error, "faces": faces}


def _measures(face: DarkFace) -> Record:
    values = {name: round(getattr(face, name), 4) for name in ("luma", "sharpness", "side", "score")}
    return {**values, "hash": f"{face.hash:036x}"}


def _file(source: FrameSource, frame: Frame) -> str:
    stem = PurePosixPath(source.name).with_suffix("")
    return f"{stem}.png" if frame.time is None else f"{stem}/{round(frame.time * 1000):09d}.png"


def _check_names(sources: Sequence[FrameSource]) -> None:
    names: dict[PurePosixPath, str] = {}
    for source in sources:
        stem = PurePosixPath(inside(source.name, source.name)).with_suffix("")
        if stem in names:
            raise InputError(
                f"{names[stem]} and {source.name} would both become {stem}; use separate output folders"
            )
        names[stem] = source.name

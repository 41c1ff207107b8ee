"""Dark faces on disk: OUT/*.png, and OUT/report.jsonl, one line a source (a video or a picture).

A line holds the source's name, the settings, how many frames were looked at, why how many of them were
passed over, and for each face that was written its file, time, luma, sharpness, side, score and hash. A line
is written when its source is done, so a run that was stopped goes on with the next source; and later runs may
add sources to the same folder, where a face that is already there is not taken again.
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
    """What became of all sources.

    Attributes:
        report: the path of the report.
        looked_at: frames, over all sources of this call, those of earlier runs included.
        written: faces, likewise.
        rejected: why frames were passed over -> how many.
        failures: one line for each source that could not be read, or not to its end.
    """

    report: Path
    looked_at: int = 0
    written: int = 0
    rejected: Counter[str] = field(default_factory=Counter[str])
    failures: list[str] = field(default_factory=list[str])

    def add(self, record: Record) -> None:
        self.looked_at += record["frames"]
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
    """Look through videos and pictures and write the dark faces found in them, losslessly.

    Args:
        sources: see `frames.open_frames`.
        out: the folder; made if need be. Of a video clip.mp4 come files clip/TIME.png with the time in
            milliseconds, of a picture face.jpg comes face.png.
        progress: called with (sources done, sources in all, what is being looked at).

    Raises:
        InputError: two sources that would share a name in the folder.
        OutputError: the folder holds faces that were chosen with other settings, or of another source of the
            same name.
    """
    out = Path(out)
    _check_names(sources)
    records = read_records(out / REPORT, unfinished=True, key="source")
    settings = config.model_dump(mode="json")
    for record in records.values():
        if record["settings"] != settings:
            raise OutputError(
                f"{out} holds faces that were chosen with other settings; choose another folder or remove it"
            )
    selector = DarkFaceSelector(config, device)
    selector.codes += [int(face["hash"], 16) for record in records.values() for face in record["faces"]]
    result = DarkFaces(out / REPORT)
    for number, source in enumerate(sources):
        if progress is not None:
            progress(number, len(sources), source.name)
        record = records.get(source.name)
        if record is not None and record["error"]:  # tried again: it may have been mended
            earlier = {int(face["hash"], 16) for face in record["faces"]}
            selector.codes = [code for code in selector.codes if code not in earlier]
            record = None
        if record is None:
            record = {"source": source.name, "bytes": source.bytes, "settings": settings}
            record |= _look(source, out, selector, config.every)
            append_record(out / REPORT, record)
        elif record["bytes"] != source.bytes:
            raise OutputError(
                f"{out} holds the faces of another {source.name}; rename this one or choose another folder"
            )
        result.add(record)
    return result


def _look(source: FrameSource, out: Path, selector: DarkFaceSelector, every: float) -> Record:
    """One source from its first frame to its last."""
    looked_at, error = 0, None
    rejected: Counter[str] = Counter()
    faces: list[Record] = []
    try:
        for frame in source.frames(every):
            looked_at += 1
            chosen = selector(frame.picture)
            if isinstance(chosen, str):
                rejected[chosen] += 1
                continue
            file = _file(source, frame)
            write_bytes(out / file, encode_png(chosen.picture))
            faces.append({"file": file, "time": frame.time, **_facts(chosen)})
    except InputError as fault:
        error = str(fault)
    return {"frames": looked_at, "rejected": dict(rejected), "error": error, "faces": faces}


def _facts(face: DarkFace) -> Record:
    numbers = {name: round(getattr(face, name), 4) for name in ("luma", "sharpness", "side", "score")}
    return {**numbers, "hash": f"{face.code:036x}"}


def _file(source: FrameSource, frame: Frame) -> str:
    stem = PurePosixPath(source.name).with_suffix("")
    return f"{stem}.png" if frame.time is None else f"{stem}/{round(frame.time * 1000):09d}.png"


def _check_names(sources: Sequence[FrameSource]) -> None:
    taken: dict[PurePosixPath, str] = {}
    for source in sources:
        stem = PurePosixPath(inside(source.name, source.name)).with_suffix("")
        if stem in taken:
            raise InputError(
                f"{taken[stem]} and {source.name} would both become {stem}; give them folders of their own"
            )
        taken[stem] = source.name

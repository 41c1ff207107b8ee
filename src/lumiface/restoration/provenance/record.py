"""The record of a restoration: what was done by what, as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from lumiface import __version__
from lumiface.faces.measure import FaceMeasures
from lumiface.registry import chain_stages, foreign_origin, foreign_stages
from lumiface.restoration.background import BICUBIC, SHIPPED
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.restored import FaceReport

Record = dict[str, Any]
"""What `read_provenance` returns."""

SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
"""IPTC's vocabulary Digital Source Type."""

DRAWN = SOURCE_TYPES + "compositeWithTrainedAlgorithmicMedia"
"""A network drew at least a part of a face."""

LIT = SOURCE_TYPES + "algorithmicallyEnhanced"
"""Only light was changed, or the picture enlarged."""

_STRENGTH = ("algorithmicallyEnhanced", "compositeWithTrainedAlgorithmicMedia", "trainedAlgorithmicMedia")
_MAX_FACES = 64
_MAX_HISTORY = 8


class _Models(Protocol):
    def models(self, measures: list[FaceMeasures]) -> list[str]: ...
    def possible_models(self) -> list[str]: ...


class Maker(Protocol):
    """Of `Restorer`, what the record names."""

    @property
    def config(self) -> RestoreConfig: ...
    @property
    def face_restorer(self) -> _Models: ...


def describe(maker: Maker, task: str | None, scale: int, faces: Sequence[FaceReport]) -> Record:
    """The record of one photograph.

    Args:
        task: that was performed; None: there was nothing to do to the main face.
        scale: size of the result over size of the input.
        faces: their reports; the first 64 are recorded.
    """
    config = maker.config
    changed = [face for face in faces if face.treatment != "unchanged"]
    models = maker.face_restorer.models([face.before for face in changed])
    lit = bool(changed) or (not faces and config.background == "light" and config.strength > 0.0)
    drawn = any(face.drawn for face in faces)
    record = _record(config, task, scale, models, drawn=drawn, lit=lit)
    record["faces"] = [_face(face) for face in faces[:_MAX_FACES]]
    return record | ({"faces_left_out": len(faces) - _MAX_FACES} if len(faces) > _MAX_FACES else {})


def describe_video(maker: Maker, scale: int) -> Record:
    """The record of a video, without faces: of the networks that its faces may have gone through."""
    config = maker.config
    lit = config.strength > 0.0
    drawn = lit and config.faces != "none"
    models = maker.face_restorer.possible_models() if drawn else []
    return _record(config, config.task, scale, models, drawn=drawn, lit=lit)


def _record(
    config: RestoreConfig, task: str | None, scale: int, models: list[str], *, drawn: bool, lit: bool
) -> Record:
    enlarging = (config.background_model or SHIPPED[scale]) if scale > 1 else BICUBIC
    # Names of C2PA's actions, as words: nothing here is signed.
    actions = {"c2pa.edited": drawn, "c2pa.adjustedColor": lit, "c2pa.resized": scale > 1}
    used = [stage for model in [*models, enlarging] if model != BICUBIC for stage in chain_stages(model)]
    origins = [foreign_origin(config) for model in dict.fromkeys(used) for config in foreign_stages(model)]
    return {
        "software": f"lumiface {__version__}",
        "task": task,
        "models": [_file_name(model) for model in used],
        **({"foreign_weights": origins} if origins else {}),
        "scale": scale,
        "settings": _settings(config),
        "source_type": DRAWN if drawn else LIT,
        "actions": [name for name, was_done in actions.items() if was_done],
    }


def with_history(record: Record, before: Record | None) -> Record:
    """The record after an earlier restoration of the same picture, of which the essentials are kept."""
    if before is None:
        return record
    earlier = before.get("history")
    essentials = {
        key: before[key] for key in ("software", "task", "models", "scale", "settings") if key in before
    }
    history = [*(earlier if isinstance(earlier, list) else []), essentials][-_MAX_HISTORY:]
    return record | {
        "source_type": stronger(record["source_type"], before.get("source_type")),
        "history": history,
    }


def stronger(ours: str, theirs: object) -> str:
    """The source type that says more of generation by a network: what was drawn once stays drawn."""
    ranks = {SOURCE_TYPES + name: rank for rank, name in enumerate(_STRENGTH)}
    # The vocabulary's addresses are written with https, too.
    given = theirs.strip().replace("https:", "http:") if isinstance(theirs, str) else ""
    return given if ranks.get(given, -1) > ranks[ours] else ours


def shortened(record: Record) -> Record:
    """The record without its faces and its history, for metadata that have little room."""
    return {key: value for key, value in record.items() if key not in ("faces", "history", "settings")}


def as_json(record: Record) -> str:
    """One line of ASCII."""
    return json.dumps(record, separators=(",", ":"))


def from_json(text: str) -> Record | None:
    """The record, or None if the text is none of ours."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    ours = isinstance(found, dict) and str(found.get("software")).startswith("lumiface")
    return found if ours else None


def _settings(config: RestoreConfig) -> dict[str, Any]:
    """Those that differ from the defaults; of files the name, since a folder's may be private."""
    settings = config.model_dump(mode="json", exclude_defaults=True)
    if config.task == "auto":  # what `Restorer` makes of the default
        del settings["task"]
    return {key: _file_name(value) if key == "background_model" else value for key, value in settings.items()}


def _face(face: FaceReport) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "box": [round(edge, 1) for edge in face.box],
        "treatment": face.treatment,
        "own_light": round(face.own_light, 3),
    }
    if face.trust is not None:
        entry["trust"] = {
            key: round(value, 4) if isinstance(value, float) else value
            for key, value in face.trust.as_dict().items()
        }
    return entry


def _file_name(model: str) -> str:
    return Path(model).name

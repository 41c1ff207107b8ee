"""The record in a picture's metadata: written by `Restorer`, and read back.

In XMP it is a description of its own beside those of the input: IPTC's digital source type, the creator tool
where none is named, and in lumiface's namespace the record as JSON and the names of C2PA's actions. Formats
without XMP get the JSON as a line of their comment, PNG also as a text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from lumiface.imaging.codec.raster import Metadata
from lumiface.imaging.codec.xmp import Name, read_properties, write_properties
from lumiface.imaging.io import Picture
from lumiface.imaging.strips import strips
from lumiface.restoration.provenance.record import (
    Maker,
    Record,
    as_json,
    describe,
    describe_video,
    from_json,
    shortened,
    stronger,
    with_history,
)
from lumiface.restoration.restored import Restored

KEYWORD = "lumiface"
"""Of PNG's text, and the beginning of a comment's line."""

NAMESPACE = "urn:x-lumiface:provenance/"
"""Of our properties in XMP: `restoration`, `actions`."""

_XMP = "http://ns.adobe.com/xap/1.0/"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_PREFIXES = {NAMESPACE: "lumiface", _XMP: "xmp", _IPTC: "Iptc4xmpExt"}
_RECORD, _ACTIONS = (NAMESPACE, "restoration"), (NAMESPACE, "actions")
_SOURCE_TYPE, _TOOL = (_IPTC, "DigitalSourceType"), (_XMP, "CreatorTool")
_ROOM = 64_000  # bytes of XMP that fit into a JPEG
_SAME = 0.5 / 65535.0
_DAMAGED = "its XMP is damaged and dropped"


def mark_result(result: Restored[Picture], before: Picture, maker: Maker) -> Restored[Picture]:
    """The result with the record in its metadata; as it is if nothing was changed, or `mark` is off.

    Args:
        before: the photograph.
        maker: the `Restorer`.
    """
    if not maker.config.mark or _is_unchanged(result, before, maker.config.strength):
        return result
    info = result.picture.info
    record = describe(maker, result.task, result.scale, result.faces)
    metadata, damaged = marked(info.metadata, record)
    remarks = (*info.remarks, _DAMAGED) if damaged else info.remarks
    picture = replace(result.picture, info=replace(info, metadata=metadata, remarks=remarks))
    return replace(result, picture=picture)


def _is_unchanged(result: Restored[Picture], before: Picture, strength: float) -> bool:
    if result.scale != 1 or any(face.treatment != "unchanged" for face in result.faces):
        return False
    if strength == 0.0:
        return True
    now, then = result.picture.rgb, before.rgb.cpu()
    if now.data_ptr() == then.data_ptr():  # a large photograph that was overwritten
        return False
    parts = strips(now.shape[-2], now.shape[-1])
    return all(torch.allclose(part.place(now), part.place(then), rtol=0.0, atol=_SAME) for part in parts)


def marked(metadata: Metadata, record: Record) -> tuple[Metadata, bool]:
    """Metadata with the record in place of an earlier one, which goes to its history.

    Returns:
        and whether the XMP so far was damaged: no program could read it, and it gives way.
    """
    record = with_history(record, record_of(metadata))
    xmp, theirs = _readable(metadata.xmp)
    before = theirs.get(_SOURCE_TYPE, "").strip()
    if before and _RECORD not in theirs:
        record = record | {
            "source_type": stronger(record["source_type"], before),
            "source_type_before": before,
        }
    packet = _packet(xmp, record, theirs)
    if len(packet) > _ROOM and len(xmp or b"") < _ROOM:
        packet = _packet(xmp, shortened(record), theirs)
    text = tuple(pair for pair in metadata.text if pair[0] != KEYWORD)
    comment = _others_comment(metadata.comment)
    note = (KEYWORD, as_json(record))
    damaged = xmp is None and bool(metadata.xmp)
    return replace(metadata, xmp=packet, text=text, comment=comment, note=note), damaged


def _readable(xmp: bytes | None) -> tuple[bytes | None, dict[Name, str]]:
    """A packet to write into, and its properties; None if it is damaged."""
    try:
        write_properties(xmp or None, {}, {})
        return xmp or None, read_properties(xmp) if xmp else {}
    except ValueError:
        return None, {}


def _packet(xmp: bytes | None, record: Record, theirs: Mapping[Name, str]) -> bytes:
    properties: dict[Name, str | Sequence[str]] = {
        _SOURCE_TYPE: record["source_type"],
        _RECORD: as_json(record),
        _ACTIONS: record["actions"],
    }
    # The creator tool is the first that is known; one that made the photograph stays.
    if _TOOL not in theirs or theirs[_TOOL].startswith(KEYWORD):
        properties[_TOOL] = record["software"]
    return write_properties(xmp, properties, _PREFIXES)


def record_of(metadata: Metadata) -> Record | None:
    """What `marked` wrote, wherever the format had a place for it; None: nothing."""
    properties = _readable(metadata.xmp)[1]
    notes = [metadata.note] if metadata.note else []
    candidates = [
        properties.get(_RECORD, ""),
        *(text for key, text in [*notes, *metadata.text] if key == KEYWORD),
    ]
    found = (from_json(text) for text in [*candidates, *map(_json_of_line, lines_of(metadata.comment))])
    return next((record for record in found if record is not None), None)


def without_mark(metadata: Metadata) -> Metadata:
    """What of the metadata is not ours, to say what a format has no place for; XMP counts as a whole."""
    xmp, properties = metadata.xmp, _readable(metadata.xmp)[1]
    if _RECORD in properties and properties.keys() <= {_RECORD, _ACTIONS, _SOURCE_TYPE, _TOOL}:
        xmp = None
    text = tuple(pair for pair in metadata.text if pair[0] != KEYWORD)
    return replace(metadata, xmp=xmp, text=text, comment=_others_comment(metadata.comment), note=None)


def lines_of(comment: bytes | str | None) -> list[str]:
    """The lines of a comment."""
    text = comment.decode("utf-8", "replace") if isinstance(comment, bytes) else comment or ""
    return text.rstrip("\0").splitlines()


def record_of_comment(comment: str | None) -> Record | None:
    """The record in a video's comment."""
    found = (from_json(_json_of_line(line)) for line in lines_of(comment))
    return next((record for record in found if record is not None), None)


def video_comment(comment: str | None, maker: Maker, scale: int) -> str | None:
    """A video's comment with the record as its last line; the same if `mark` is off."""
    if not maker.config.mark or (maker.config.strength == 0.0 and scale == 1):
        return comment
    record = describe_video(maker, scale)
    others = [line for line in lines_of(comment) if not line.startswith(f"{KEYWORD}: ")]
    return "\n".join([*others, f"{KEYWORD}: {as_json(with_history(record, record_of_comment(comment)))}"])


def _json_of_line(line: str) -> str:
    return line.removeprefix(f"{KEYWORD}: ") if line.startswith(f"{KEYWORD}: ") else ""


def _others_comment(comment: bytes | None) -> bytes | None:
    if comment is None or f"{KEYWORD}: ".encode() not in comment:
        return comment
    others = [line for line in comment.split(b"\n") if not line.startswith(f"{KEYWORD}: ".encode())]
    return b"\n".join(others) or None

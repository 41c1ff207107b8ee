"""Which files are pictures, and what their results are called: by name and content, before work starts."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from lumiface.core.errors import SettingError
from lumiface.imaging.codec.encode import missing_for_writing
from lumiface.imaging.codec.formats import (
    FORMAT_OF_SUFFIX,
    RAW_SUFFIXES,
    RAW_TARGET,
    UNREAD_SUFFIXES,
    UNUSUAL_SUFFIXES,
    WRITABLE,
    Format,
    sniff,
    unread_kind,
)
from lumiface.imaging.codec.heif import has_heif
from lumiface.imaging.codec.raw import has_raw

_HEAD = 4096
_MAX_NAMES = 3
_HEIC, _RAW = "HEIC", "camera RAW"
_MENDS = {_HEIC: 'pip install "lumiface[heif]"', _RAW: 'pip install "lumiface[raw]"'}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of looking at a file in a folder: a picture to restore, of a kind that is not read, or neither."""

    picture: bool = False
    left: str | None = None


def sort_file(file: Path) -> Outcome:
    """Decide what a file in a folder is: by its name, and where that tells nothing by its content."""
    suffix = file.suffix.lower()
    if not file.is_file() and not (file.is_symlink() and not file.exists()):
        return Outcome()  # a socket and the like; a broken link is a picture that cannot be read
    if suffix in FORMAT_OF_SUFFIX:
        format_: Format | None = FORMAT_OF_SUFFIX[suffix]
    elif suffix in RAW_SUFFIXES:
        format_ = "RAW"
    else:
        head = _head(file)
        format_ = sniff(head, file.name)
        if format_ is None:
            return Outcome(left=unread_kind(head, file.name))
    if format_ == "HEIF" and not has_heif():
        return Outcome(left=_HEIC)
    if format_ == "RAW" and not has_raw():
        return Outcome(left=_RAW)
    return Outcome(picture=True)


def left_line(kind: str, files: Sequence[Path]) -> str:
    """One line about the files of a kind that is not read: "not looked at: 2 PSD (a.psd, b.psd); ..."."""
    names = ", ".join(file.name for file in files[:_MAX_NAMES]) + (", …" if len(files) > _MAX_NAMES else "")
    return f"not looked at: {len(files)} {kind} ({names}); {_MENDS.get(kind, 'save as PNG or JPEG first')}"


def written_name(output: Path) -> bool:
    """Whether the name of an output is one of a picture file, and not of a folder.

    Raises:
        SettingError: it is one of a format that cannot be written.
    """
    suffix = output.suffix.lower()
    format_ = FORMAT_OF_SUFFIX.get(suffix)
    if format_ is None and suffix not in RAW_SUFFIXES | UNREAD_SUFFIXES:
        return False
    missing = "this format cannot be written" if format_ is None else missing_for_writing(format_)
    if missing is not None:
        usual = sorted(suffix for suffix, each in FORMAT_OF_SUFFIX.items() if _is_usual(suffix, each))
        raise SettingError(f"{output}: {missing}; name a file that ends in one of {' '.join(usual)}")
    return True


def _is_usual(suffix: str, format_: Format) -> bool:
    return suffix not in UNUSUAL_SUFFIXES and missing_for_writing(format_) is None


def result_suffix(source: Path) -> tuple[str, str]:
    """Stem and ending of a result.

    The ending is the source's own, whatever its content, if it is a usual one that can be written. Else it is
    the usual ending of the content: edge.jfif -> (edge, .jpg), scan -> (scan, .png), x.nef -> (x, .tif). If
    that is the name of another file's result, the stem is the whole name: (edge.jfif, .jpg).
    """
    suffix = source.suffix.lower()
    named = FORMAT_OF_SUFFIX.get(suffix)
    if named is not None and suffix not in UNUSUAL_SUFFIXES and missing_for_writing(named) is None:
        return source.stem, source.suffix
    content = sniff(_head(source), source.name)
    if suffix in UNUSUAL_SUFFIXES:
        ending = UNUSUAL_SUFFIXES[suffix]
    elif content is None:
        return source.stem, source.suffix  # not a picture, which reading it says
    else:
        ending = RAW_TARGET if content == "RAW" else WRITABLE[content].suffix
    known = named is not None or suffix in RAW_SUFFIXES | UNREAD_SUFFIXES
    taken = source.with_suffix(ending).exists() or source.with_suffix(ending.upper()).exists()
    return (source.stem if known and not taken else source.name), ending


def holds_alpha(target: Path) -> bool:
    """Whether the format of a name has transparency."""
    format_ = FORMAT_OF_SUFFIX.get(target.suffix.lower())
    return format_ is None or WRITABLE[format_].alpha


def may_be_written_as_png(source: Path, target: Path) -> bool:
    """Whether a result may have had to go beside its target for its transparency, as far as headers tell."""
    content = sniff(_head(source), source.name)
    return not holds_alpha(target) and content is not None and content in WRITABLE and WRITABLE[content].alpha


def name_with_alpha(source: Path, target: Path, planned: Set[Path], *, wished: bool = False) -> Path:
    """The .png beside a target that has no transparency; x.jpg.png if x.png belongs to another file.

    Args:
        planned: the targets of all pictures.
        wished: the user named the target, so a file beside it may be anything.
    """
    beside = target.with_suffix(".png")
    sibling = source.with_suffix(".png")
    taken = (
        beside in planned
        or (sibling != source and sibling.exists())
        or beside.resolve() == source.resolve()
        or (wished and beside.exists())
    )
    return target.with_name(f"{target.name}.png") if taken else beside


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(_HEAD)
    except OSError:  # reading it all reports that
        return b""

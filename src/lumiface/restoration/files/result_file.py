"""The result of one input file, of one picture or of several, and what there is to say about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from pathlib import Path
from typing import TYPE_CHECKING

from lumiface.core.errors import InputError
from lumiface.imaging.codec.formats import WRITABLE
from lumiface.imaging.codec.raster import Metadata
from lumiface.imaging.frames import MAX_ANIMATION_MEGAPIXELS, PictureFile, PictureWriter, holds_all
from lumiface.imaging.io import Picture, format_of_path
from lumiface.restoration.files.jobs import Job
from lumiface.restoration.files.picture_files import holds_alpha, name_with_alpha
from lumiface.restoration.prior_view import PriorView, save_prior
from lumiface.restoration.provenance.mark import without_mark

if TYPE_CHECKING:
    from torch import Tensor

    from lumiface.restoration.restored import Restored


class ResultFile:
    """Takes the restored pictures of one input, one after the other, and writes them together.

    Attributes:
        target: where it is written; decided by the first picture, which may have transparency.
        faces: treatment -> number of faces.
        notes: of the restorer.
        remarks: what of the file could not be used or is not kept.

    Args:
        planned: the targets of all jobs, none of which this one may take.
    """

    def __init__(self, job: Job, planned: Set[Path], file: PictureFile, quality: int) -> None:
        self.target = job.target
        self.faces: Counter[str] = Counter()
        self.notes: set[str] = set()
        self.remarks: dict[str, None] = {}  # in order, each once
        self._job, self._planned, self._file, self._quality = job, planned, file, quality
        self._writer: PictureWriter | None = None
        self._priors: list[PriorView] = []
        self._added = 0
        self._marked: Metadata | None = None  # of the first picture that was changed

    @property
    def is_full(self) -> bool:
        """Whether further pictures of the file have no place in the result."""
        return self._writer is not None and self._added >= self._writer.count

    def add(self, restored: Restored[Picture]) -> None:
        """Take the next picture.

        Raises:
            OutputError: it does not fit the format.
        """
        picture = restored.picture
        if self._writer is None:
            self._writer = self._open(picture)
            self._priors = restored.priors
        self._writer.add(picture)
        if self._marked is None and picture.info.metadata.note is not None:
            self._marked = picture.info.metadata
        self._added += 1
        self.faces.update(face.treatment for face in restored.faces)
        self.notes.update(restored.notes)
        self.remarks.update(dict.fromkeys(picture.info.remarks))

    def write(self) -> None:
        """Write the file, atomically, and beside it the prior of the first picture.

        Raises:
            InputError: there was no picture.
            OutputError: it cannot be written.
        """
        if self._writer is None:
            raise InputError(f"{self._job.source} holds no picture; check the file")
        self._writer.close(self._marked)
        if self._priors:
            save_prior(self._priors, self.target)

    def _open(self, picture: Picture) -> PictureWriter:
        """Choose name and number of pictures by the first of them."""
        if picture.alpha is not None and not holds_alpha(self.target):
            self.target = name_with_alpha(
                self._job.source, self.target, self._planned, wished=self._job.wished
            )
            self.remarks[f"written as .png, because {self._job.target.suffix} has no transparency"] = None
        if lost := _lost(picture, self.target):
            self.remarks[f"not kept, because {self.target.suffix} has no place for it: {lost}"] = None
        count, kind = self._file.count, self._file.kind
        height, width = picture.rgb.shape[-2:]
        if not holds_all(self._file, self.target):
            self.remarks[f"first of {count} {kind} kept: {self.target.suffix} holds one"] = None
            count = 1
        elif kind == "frames" and count * height * width > MAX_ANIMATION_MEGAPIXELS * 1e6:
            self.remarks[
                f"first of {count} frames kept: together they exceed {MAX_ANIMATION_MEGAPIXELS:g} megapixels;"
                " use a smaller --scale"
            ] = None
            count = 1
        return PictureWriter(self.target, count, self._quality)


def _lost(picture: Picture, target: Path) -> str:
    """What of the input's properties the format of the result cannot hold, in words; empty if nothing."""
    info, format_ = picture.info, format_of_path(target)
    can, metadata = WRITABLE[format_], without_mark(info.metadata)
    on_or_off = format_ == "GIF" != info.format
    properties = {
        "partial transparency (it is on or off)": on_or_off and _is_partial(picture.alpha),
        "16 bits": info.bits == 16 and not can.wide,
        "colour profile (the result is sRGB)": info.icc is not None and not can.icc,
        "EXIF": info.exif is not None and not can.exif,
        "XMP": metadata.xmp is not None and not can.xmp,
        "IPTC": metadata.iptc is not None and not can.iptc,
        "texts": bool(metadata.text) and can.text != "texts",
        "comment": bool(metadata.comment) and not can.text,
        "DPI": metadata.dpi is not None and not can.dpi,
        "that it was restored": info.metadata.note is not None and not can.note,
    }
    return ", ".join(name for name, lost in properties.items() if lost)


def _is_partial(alpha: Tensor | None) -> bool:
    return alpha is not None and bool(((alpha > 0.0) & (alpha < 1.0)).any())

"""One photograph by one call."""

from __future__ import annotations

from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, overload

import torch

from lumiface.imaging.exchange import Same, open_any
from lumiface.imaging.io import Picture, format_of_path, write_picture
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.restored import Restored, hand_back, unmarked_notes
from lumiface.restoration.restorer import Restorer

Target = str | PathLike[str] | None


@overload
def restore(
    source: str | PathLike[str] | Picture,
    target: Target = None,
    model: str | None = None,
    config: RestoreConfig | None = None,
    device: str | torch.device = "cpu",
) -> Restored[Picture]: ...
@overload
def restore(
    source: Same,
    target: Target = None,
    model: str | None = None,
    config: RestoreConfig | None = None,
    device: str | torch.device = "cpu",
) -> Restored[Same]: ...
@overload
def restore(
    source: BinaryIO,
    target: Target = None,
    model: str | None = None,
    config: RestoreConfig | None = None,
    device: str | torch.device = "cpu",
) -> Restored[BytesIO]: ...
def restore(
    source: Any,
    target: Target = None,
    model: str | None = None,
    config: RestoreConfig | None = None,
    device: str | torch.device = "cpu",
) -> Restored[Any]:
    """Restore one photograph: `restore("party.jpg", "party-bright.jpg")`, or `restore(array).picture`.

    Args:
        source: as of `Restorer.__call__`; the result's `picture` is of the same kind.
        target: output file, in the format of its suffix; None writes nothing.
        model, config, device: see `Restorer`.

    Raises:
        InputError: `source` cannot be used; the message gives the reason and the fix.
        OutputError: `target` cannot be written.
        SettingError: as of `Restorer`.
    """
    decoded, back = open_any(source)
    result = Restorer(model, config, device)(decoded)
    if target is not None:
        write_picture(result.picture, Path(target))
        result.notes.extend(unmarked_notes(result.picture, format_of_path(Path(target))))
    return result if source is decoded else hand_back(result, back)

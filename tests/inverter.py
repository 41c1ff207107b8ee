"""A restorer for tests of several processes, which must be able to import it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import torch

from lumiface.imaging.io import Picture
from lumiface.restoration.batch import Box
from lumiface.restoration.restored import Restored


class Inverter:
    """Inverts a picture; ends its process at a black one if it is `mortal` and there is no file `mark`."""

    def __init__(self, mortal: bool = False, mark: str = "") -> None:
        self.mortal, self.mark = mortal, mark

    def __call__(
        self, picture: Picture, boxes: Sequence[Box] = (), scale: int | None = None
    ) -> Restored[Picture]:
        if self.mortal and float(picture.rgb.max()) == 0.0 and not (self.mark and os.path.exists(self.mark)):
            if self.mark:
                Path(self.mark).touch()
            os._exit(1)
        if float(picture.rgb.min()) == 1.0:
            raise ArithmeticError("white")
        inverse = Picture(1.0 - picture.rgb, None, picture.info)
        return Restored(inverse, 1, "joint", notes=[f"threads {torch.get_num_threads()}"])


def mortal() -> Inverter:
    return Inverter(mortal=True)


def mortal_once(mark: str) -> Inverter:
    """Ends one process only: the mark is a file that the first leaves."""
    return Inverter(mortal=True, mark=mark)

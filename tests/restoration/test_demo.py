"""The demonstration with the shipped networks: both faces come out nearer to the original."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.demo import FACE, SCALE, make_demo
from lumiface.restoration.restorer import Restorer

INNER = (slice(85, 175), slice(60, 140))
"""Rows and columns of the face in the damaged picture."""


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"), np.float64)


def test_both_faces_come_out_nearer_to_the_original(tmp_path: Path, astronaut_uint8: np.ndarray) -> None:
    enlarge, repair = (Restorer(config=RestoreConfig(scale=scale)) for scale in (SCALE, 1))
    files = make_demo(tmp_path, enlarge, repair)
    assert pixels(files.restored).mean() > 2.0 * pixels(files.dark).mean()
    damaged, repaired = pixels(files.damaged), pixels(files.repaired)
    truth = pixels(files.second_comparison)[12:268, 548:804]
    detail = [np.abs(np.diff(part[INNER].mean(axis=2), axis=0)).mean() for part in (damaged, repaired, truth)]
    assert 1.1 * detail[0] < detail[1] < 1.1 * detail[2], detail
    assert truth.shape == (256, 256, 3)
    assert FACE[0].stop - FACE[0].start == 256

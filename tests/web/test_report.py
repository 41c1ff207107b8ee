"""What programs and the page are given of a restored face."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from lumiface.faces.measure import FaceMeasures
from lumiface.imaging.io import Picture, read_picture
from lumiface.restoration.restored import FaceReport
from lumiface.restoration.trust import Trust
from lumiface.web.work.report import SCREEN, face_record, write_for_screen, write_heat_maps

MEASURES = FaceMeasures(48.0, 0.1, 48.0)


def report(trust: Trust | None) -> FaceReport:
    return FaceReport((1.0, 2.0, 30.0, 40.0), 0.99, MEASURES, "restored", 0.0, "dark, small", 0, trust=trust)


def test_the_figures_and_their_word() -> None:
    passed = Trust(0.6, 0.3, 31.5)
    lowered = Trust(0.31, 0.3, strength=0.5, asked=1.0)
    other, untold = Trust(0.1, 0.3), Trust(None, 0.3)
    records = [face_record(report(trust)) for trust in (passed, lowered, other, untold)]
    assert [record["trust"]["word"] for record in records] == ["good", "care", "doubt", "untold"]
    assert records[0]["trust"]["consistency_db"] == 31.5
    assert (records[1]["trust"]["strength"], records[1]["trust"]["strength_asked"]) == (0.5, 1.0)
    assert face_record(report(None))["trust"] is None
    assert records[0]["trust"]["sentences"] == {"en": passed.sentence("en"), "zh": passed.sentence("zh")}
    json.dumps(records)


def test_a_map_of_what_is_guessed(tmp_path: Path) -> None:
    error = torch.zeros(1, 1, 64, 64)
    error[..., :32] = 0.5
    face = torch.full((1, 3, 64, 64), 0.5)
    measured = Trust(0.6, 0.3, invention=error, before=face, after=face)
    names = write_heat_maps([report(None), report(measured), report(Trust(0.6, 0.3))], tmp_path)
    assert names == [None, "heat-1.png", None]
    shown = read_picture(tmp_path / "heat-1.png").rgb[..., 16:48, :]
    colour = shown.amax(1) - shown.amin(1)
    assert colour[..., 20:28].min() > 0.2
    assert colour[..., 40:].max() < 0.01


@pytest.mark.parametrize(("height", "width"), [(40, 60), (SCREEN // 2, SCREEN * 2)])
def test_pictures_for_the_screen_are_bounded(tmp_path: Path, height: int, width: int) -> None:
    alpha = torch.full((1, 1, height, width), 0.5)
    write_for_screen(Picture(torch.full((1, 3, height, width), 0.25), alpha), tmp_path / "a.webp")
    shown = read_picture(tmp_path / "a.webp")
    assert shown.rgb.shape[-1] == min(width, SCREEN)
    assert shown.rgb.mean() == pytest.approx(0.25, abs=0.01)
    assert shown.alpha is not None

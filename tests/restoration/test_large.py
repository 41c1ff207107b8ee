"""Large photographs: tiles, and a result in the place of the photograph, change nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.imaging import denoise, strips
from lumiface.imaging.io import Picture, read_picture, write_picture
from lumiface.imaging.quantize import quantize
from lumiface.restoration import memory as memory_module
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.light import relight
from lumiface.restoration.restorer import Restorer


@pytest.fixture(scope="module")
def restorer() -> Restorer:
    return Restorer(config=RestoreConfig(scale=1))


@pytest.fixture
def night(astronaut: Tensor) -> Picture:
    """A dark, noisy photograph with a face, on the levels of 8 bits."""
    large = F.interpolate(astronaut, scale_factor=1.5, mode="bicubic").clamp(0, 1)
    noise = torch.randn(large.shape, generator=torch.Generator().manual_seed(0))
    return Picture(quantize((0.2 * large + 0.015 * noise).clamp(0, 1)))


def test_restored_in_tiles_as_in_one_piece(
    restorer: Restorer, night: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def result(rows: int, columns: int, pixels: int) -> Tensor:
        monkeypatch.setattr(denoise, "TILE", (rows, columns))
        monkeypatch.setattr(relight, "_ROWS", rows)
        monkeypatch.setattr(relight, "_COLUMNS", columns)
        monkeypatch.setattr(strips, "STRIP_PIXELS", pixels)
        return restorer(night).picture.rgb

    whole = result(5000, 5000, 1 << 30)
    assert float(whole.mean()) > 1.5 * float(night.rgb.mean())
    assert float((result(50, 130, 9000) - whole).abs().max()) < 1e-4


def test_a_spare_photograph_is_overwritten_by_the_same_result(
    restorer: Restorer, night: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = restorer(night)
    monkeypatch.setattr(memory_module, "LARGE_PIXELS", 0)
    before = night.rgb.clone()
    assert torch.equal(restorer(night).picture.rgb, expected.picture.rgb)
    assert torch.equal(night.rgb, before)  # the caller's own
    spare = restorer(replace(night, spare=True))
    assert spare.faces == expected.faces
    assert torch.equal(spare.picture.rgb, expected.picture.rgb)
    assert spare.picture.rgb.data_ptr() == night.rgb.data_ptr()
    bright = replace(night, rgb=quantize((3.0 * before).clamp(0, 1)))
    kept = restorer(bright).picture.rgb
    assert torch.equal(restorer(replace(bright, spare=True)).picture.rgb, kept)


def test_a_file_is_read_again_after_its_photograph_was_overwritten(
    restorer: Restorer, night: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_module, "LARGE_PIXELS", 0)
    write_picture(night, tmp_path / "a.png")
    once = restorer(tmp_path / "a.png").picture.rgb
    assert torch.equal(read_picture(tmp_path / "a.png").rgb, night.rgb)
    assert torch.equal(restorer(tmp_path / "a.png").picture.rgb, once)

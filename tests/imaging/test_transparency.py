"""Transparency: what it hides never shows, opaque alpha goes, real alpha stays."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from lumiface.imaging.io import read_picture, write_picture
from lumiface.imaging.transparency import TRUSTED, fill_hidden, visible_alpha

SKIN = (200, 150, 120)


def cut_out(hidden: tuple[int, int, int], soft: bool) -> np.ndarray:
    """(64, 64, 4): a disc of one colour; another colour is stored where it is transparent."""
    y, x = np.mgrid[0:64, 0:64]
    distance = np.hypot(y - 31.5, x - 31.5)
    alpha = (24.5 - distance).clip(0, 1) if soft else (distance < 24).astype(float)
    rgb = np.where(alpha[..., None] > 0, SKIN, hidden)
    return np.concatenate((rgb, alpha[..., None] * 255), axis=-1).round().astype(np.uint8)


def on_white(rgb: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    return rgb * alpha + (1 - alpha)


@pytest.mark.parametrize("hidden", [(0, 255, 0), (0, 0, 0), (255, 255, 255)])
@pytest.mark.parametrize("soft", [True, False], ids=["soft", "hard"])
@pytest.mark.parametrize("scale", [2, 4])
def test_a_hidden_colour_never_shows_after_enlarging(tmp_path, hidden, soft, scale):
    Image.fromarray(cut_out(hidden, soft)).save(tmp_path / "x.png")
    read = read_picture(tmp_path / "x.png")
    assert read.alpha is not None
    size = (64 * scale, 64 * scale)
    rgb, alpha = (
        F.interpolate(planes, size=size, mode="bicubic").clamp(0, 1) for planes in (read.rgb, read.alpha)
    )
    skin = torch.tensor(SKIN).view(1, 3, 1, 1) / 255
    wanted = on_white(skin.expand_as(rgb), alpha)
    assert float((on_white(rgb, alpha) - wanted).abs().max()) < 2 / 255


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".avif", ".heic", ".gif"])
def test_opaque_alpha_is_dropped(tmp_path, suffix):
    opaque = np.dstack([np.full((16, 16, 3), 90, np.uint8), np.full((16, 16), 255, np.uint8)])
    if suffix in (".heic",):
        pytest.importorskip("pillow_heif").from_pillow(Image.fromarray(opaque)).save(tmp_path / f"x{suffix}")
    else:
        Image.fromarray(opaque).save(tmp_path / f"x{suffix}")
    read = read_picture(tmp_path / f"x{suffix}")
    assert read.alpha is None
    write_picture(read, tmp_path / "x.jpg")


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".avif", ".heic", ".gif"])
def test_real_alpha_is_kept(tmp_path, suffix):
    Image.fromarray(cut_out((0, 255, 0), soft=False)).save(tmp_path / "x.png")
    before = read_picture(tmp_path / "x.png")
    write_picture(before, tmp_path / f"out{suffix}", quality=100)
    after = read_picture(tmp_path / f"out{suffix}")
    assert after.alpha is not None
    assert before.alpha is not None
    assert float((after.alpha - before.alpha).abs().mean()) < 0.02
    shown = on_white(after.rgb, after.alpha) - on_white(before.rgb, before.alpha)
    assert float(shown.abs().mean()) < 0.02


def test_visible_colours_stay_and_a_picture_of_nothing_stays():
    rgb, alpha = torch.rand(1, 3, 9, 7), torch.rand(1, 1, 9, 7)
    filled = fill_hidden(rgb, alpha)
    kept = (alpha >= TRUSTED).expand_as(rgb)
    assert torch.equal(filled[kept], rgb[kept])
    assert torch.isfinite(filled).all()
    assert torch.equal(fill_hidden(rgb, torch.zeros_like(alpha)), rgb)
    assert fill_hidden(rgb, None) is rgb
    assert visible_alpha(torch.ones(1, 1, 2, 2)) is None


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (33, 17)])
def test_any_size_is_filled(size):
    alpha = torch.zeros(1, 1, *size)
    alpha[..., 0, 0] = 1
    rgb = torch.zeros(1, 3, *size)
    rgb[..., 0, 0] = 0.5
    torch.testing.assert_close(fill_hidden(rgb, alpha), torch.full_like(rgb, 0.5))

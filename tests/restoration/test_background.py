"""Enlargement of whole photographs: no seam between tiles, one tile in memory, any network's weights."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from typer.testing import CliRunner

from helpers import psnr, rand
from lumiface.cli import app
from lumiface.core.errors import InputError, SettingError
from lumiface.imaging.io import Picture, write_picture
from lumiface.registry import build, load_model
from lumiface.restoration.background import (
    BICUBIC,
    FOREIGN_REACH,
    SHIPPED,
    Background,
    Upscaler,
    enlarge_bicubic,
    enlarge_by_tiles,
    load_upscaler,
)
from lumiface.restoration.restorer import RestoreConfig, Restorer
from lumiface.training.checkpoint import save_weights

CPU = torch.device("cpu")


@pytest.fixture
def small(astronaut: Tensor) -> Tensor:
    """(1, 3, 103, 117), on the 8-bit grid: odd sides."""
    crop = F.interpolate(astronaut, scale_factor=0.25, mode="area")[..., 20:123, 5:122]
    return (crop * 255).round() / 255


@pytest.mark.parametrize("scale", [2, 4])
@torch.inference_mode()
def test_tiles_leave_no_seam(small: Tensor, scale: int) -> None:
    upscaler = load_upscaler(SHIPPED[scale])
    whole = upscaler.network(small).clamp(0.0, 1.0)
    tiled = enlarge_by_tiles(upscaler, small, scale, tile=32 * scale)
    torch.testing.assert_close(tiled, whole, atol=2e-6, rtol=0)
    # with less overlap there would be one
    cut = enlarge_by_tiles(Upscaler(upscaler.network, scale, 4), small, scale, tile=32 * scale)
    assert float((cut - whole).abs().max()) > 1e-4


@pytest.mark.parametrize("scale", [2, 4])
def test_it_is_nearer_the_truth_than_bicubic(astronaut: Tensor, scale: int) -> None:
    low = F.interpolate(astronaut, scale_factor=1 / scale, mode="bicubic", antialias=True).clamp(0, 1)
    by_network = Background(None, CPU)(low, scale)
    assert by_network.shape == astronaut.shape
    assert psnr(by_network, astronaut) > psnr(enlarge_bicubic(low, scale), astronaut) + 0.5


def test_the_network_sees_one_tile_at_a_time() -> None:
    """So memory beyond the result does not grow with the picture."""
    seen: list[tuple[int, ...]] = []

    def network(piece: Tensor) -> Tensor:
        seen.append(tuple(piece.shape[-2:]))
        return enlarge_bicubic(piece, 4)

    low = rand(1, 3, 150, 301)
    tiled = enlarge_by_tiles(Upscaler(network, 4, 6), low, 4, tile=256)
    torch.testing.assert_close(tiled, enlarge_bicubic(low, 4), atol=1e-6, rtol=0)
    assert len(seen) == 3 * 5
    assert max(side for size in seen for side in size) == 64 + 2 * 8


def test_scale_1_is_the_picture_itself_and_bicubic_needs_no_network(small: Tensor) -> None:
    assert Background(None, CPU)(small, 1) is small
    assert torch.equal(Background(BICUBIC, CPU)(small, 2), enlarge_bicubic(small, 2))


def test_a_grey_picture_stays_grey(small: Tensor) -> None:
    grey = Background(None, CPU)(small[:, :1].expand(-1, 3, -1, -1), 4)
    assert torch.equal(grey[:, 0], grey[:, 1])
    assert torch.equal(grey[:, 0], grey[:, 2])


def test_a_flat_picture_stays_flat() -> None:
    for level in (0.0, 0.02, 0.5, 1.0):
        large = Background(None, CPU)(torch.full((1, 3, 40, 40), level), 4)
        assert float((large - level).abs()[..., 60:100, 60:100].max()) < 1.5 / 255


def test_a_network_of_another_scale_is_brought_to_the_requested_one(small: Tensor) -> None:
    four = load_upscaler(SHIPPED[4])
    halved = enlarge_by_tiles(four, small, 2)
    with torch.inference_mode():
        expected = F.interpolate(four.network(small).clamp(0, 1), size=halved.shape[-2:], mode="area")
    torch.testing.assert_close(halved, expected, atol=2e-6, rtol=0)
    assert enlarge_by_tiles(load_upscaler(SHIPPED[2]), small, 4).shape[-2:] == (412, 468)


def test_restore_uses_it_where_the_picture_is_enlarged(small: Tensor, tmp_path: Path) -> None:
    def restored(**settings: Any) -> Tensor:
        config = RestoreConfig.model_validate({"task": "joint", "strength": 0.0, **settings})
        return Restorer(config=config)(Picture(small)).picture.rgb

    assert torch.equal(restored(), Background(None, CPU)(small, 4))
    assert torch.equal(restored(background_model=BICUBIC), enlarge_bicubic(small, 4))
    assert torch.equal(restored(scale=1), small)
    write_picture(Picture(small), tmp_path / "a.png")
    command = ["restore", str(tmp_path / "a.png"), "--strength", "0", "--background-model"]
    assert CliRunner().invoke(app, [*command, BICUBIC]).exit_code == 0
    result = CliRunner().invoke(app, [*command, "absent.pth", "--overwrite"])
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert "absent.pth: no such file" in line


def test_files_of_this_project(small: Tensor, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network: Any = build("lumiface-photo-x4", {"channels": 8, "blocks": 1})
    facts: dict[str, Any] = {"method": "lumiface-photo-x4", "config": network.config}
    path = tmp_path / "own.safetensors"
    save_weights(path, network.state_dict(), **facts, provenance={"run": {"task": "sr"}})
    with torch.inference_mode():
        expected = load_model(path)(small).clamp(0, 1)
    torch.testing.assert_close(Background(str(path), CPU)(small, 4), expected, atol=2e-6, rtol=0)
    with pytest.raises(SettingError, match="not trained to enlarge photographs"):
        Background("lumiface-x4", CPU)


def test_weights_of_other_projects_through_spandrel(small: Tensor, tmp_path: Path) -> None:
    architecture: Any = pytest.importorskip("spandrel.architectures.Compact.__arch.SRVGG")
    torch.manual_seed(0)
    network = architecture.SRVGGNetCompact(num_feat=8, num_conv=2, upscale=4)
    path = tmp_path / "foreign.pth"
    torch.save({"params": network.state_dict()}, path)
    found = load_upscaler(str(path))
    assert (found.scale, found.reach) == (4, FOREIGN_REACH)
    with torch.inference_mode():
        expected = network.eval()(small).clamp(0, 1)
    torch.testing.assert_close(Background(str(path), CPU)(small, 4), expected, atol=2e-6, rtol=0)
    assert Background(str(path), CPU)(small, 2).shape[-2:] == (206, 234)


def test_what_cannot_be_used_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"not weights")
    pytest.importorskip("spandrel")
    with pytest.raises(InputError, match=r"weights\.pth cannot be read") as refused:
        load_upscaler(str(path))
    assert "\n" not in str(refused.value)
    monkeypatch.setitem(sys.modules, "spandrel", None)  # what the import system takes for "not there"
    with pytest.raises(SettingError, match=r"pip install 'lumiface\[peers\]'"):
        load_upscaler(str(path))

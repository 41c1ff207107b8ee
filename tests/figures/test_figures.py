"""The explanatory figures: histograms before and after darkening, and the masks of faceMaskLoss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from typer.testing import CliRunner, Result

from lumiface.cli import app
from lumiface.figures.histogram import channel_histograms, histogram_figure
from lumiface.figures.masks import crop_to_face, mask_figure
from lumiface.imaging.quantize import to_uint8
from lumiface.losses.face_mask import block_mask

FACE = (175.0, 60.0, 275.0, 195.0)
"""Box around the astronaut's face."""


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


# --- histograms ---------------------------------------------------------------------------------------------


def test_histograms_agree_with_numpy(astronaut: Tensor, astronaut_uint8: np.ndarray) -> None:
    histograms = channel_histograms(astronaut)
    assert histograms.shape == (3, 256)
    for channel in range(3):
        counts, _ = np.histogram(astronaut_uint8[..., channel], bins=256, range=(0, 256))
        assert np.allclose(histograms[channel].numpy(), counts / 512**2, atol=1e-12)


def test_the_dashed_lines_are_at_the_means() -> None:
    picture = torch.tensor([0.8, 0.4, 0.2]).view(1, 3, 1, 1).expand(1, 3, 20, 20)
    figure = to_uint8(histogram_figure(picture, picture * 0.1))[0]
    plot = figure[:, 60:300, 348:968]  # of the upper histogram
    red, green, blue = plot.int()
    for coloured, mean in (
        ((red > 150) & (green < 120), 0.8),
        ((green > 110) & (red < 110) & (blue < 130), 0.4),
        ((blue > 150) & (red < 110), 0.2),
    ):
        columns = coloured.float().mean(dim=0)
        assert abs(int(columns.argmax()) / 620 - mean) < 0.01


@pytest.mark.parametrize("size", [(40, 200), (200, 40), (1, 1), (900, 700)])
def test_the_figure_has_one_size_for_pictures_of_any_size(size: tuple[int, int]) -> None:
    picture = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    figure = histogram_figure(picture, torch.zeros_like(picture))
    assert figure.shape == histogram_figure(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)).shape
    assert figure.isfinite().all()
    assert 0.0 <= float(figure.min()) < float(figure.max()) == 1.0


def test_histogram_from_the_command_line(tmp_path: Path) -> None:
    result = run("figure", "histogram", "-o", tmp_path / "a.png")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{tmp_path / 'a.png'}\n"
    figure = np.asarray(Image.open(tmp_path / "a.png")).astype(int)
    half = len(figure) // 2
    light, dark = figure[60:350, 30:320], figure[half + 60 : half + 350, 30:320]
    assert dark.mean() < 0.4 * light.mean()
    darker = run("figure", "histogram", "--gamma", "5", "-o", tmp_path / "b.png")
    assert darker.exit_code == 0
    assert np.asarray(Image.open(tmp_path / "b.png"))[half + 60 : half + 350, 30:320].mean() < dark.mean()


# --- masks --------------------------------------------------------------------------------------------------


def test_the_square_holds_the_face_and_stays_inside(astronaut: Tensor) -> None:
    for box in (FACE, (0.0, 0.0, 30.0, 40.0), (-20.0, 400.0, 90.0, 540.0), (10.0, 10.0, 500.0, 500.0)):
        square, inner = crop_to_face(astronaut, box, 64)
        assert square.shape == (1, 3, 64, 64)
        x1, y1, x2, y2 = inner
        inside = min(x1, y1) >= -1.0 and max(x2, y2) <= 65.0  # within half a pixel of the photograph
        assert inside, (box, inner)
    with pytest.raises(ValueError, match="no area"):
        crop_to_face(astronaut, (600.0, 10.0, 700.0, 60.0), 64)


def test_the_square_shows_what_the_box_shows(astronaut: Tensor) -> None:
    square, inner = crop_to_face(astronaut, FACE, 128)
    x1, y1, x2, y2 = (round(edge) for edge in inner)
    before = astronaut[..., 60:195, 175:275].mean(dim=(2, 3))
    assert torch.allclose(square[..., y1:y2, x1:x2].mean(dim=(2, 3)), before, atol=0.02)


def test_unmasked_pixels_keep_their_colours_and_the_rest_is_dimmed(astronaut: Tensor) -> None:
    figure = mask_figure(astronaut, FACE, ratio=0.5, seed=3)
    gap, side = 12, 384
    original, blocks, pixels = (
        figure[..., gap : gap + side, gap + n * (side + gap) : gap + n * (side + gap) + side][..., 1::3, 1::3]
        for n in range(3)
    )
    face, inner = crop_to_face(astronaut, FACE, 128)
    assert torch.equal(original, face)
    mask = block_mask(torch.tensor([inner]), (128, 128), 0.5, torch.Generator().manual_seed(3))
    x1, y1, x2, y2 = (round(edge) for edge in inner)
    within = torch.zeros(128, 128, dtype=torch.bool)
    within[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1] = True  # without the outline
    bright = (blocks == face).all(dim=1)[0]
    visible = (face > 0.02).any(dim=1)[0]  # black dimmed is black still
    assert torch.equal(bright[within & visible], mask[0, 0][within & visible])
    share = (pixels == face).all(dim=1)[0][within & visible].float().mean()
    assert abs(float(share) - 0.5) < 0.03
    outside = torch.ones(128, 128, dtype=torch.bool)
    outside[max(0, y1 - 1) : y2 + 1, max(0, x1 - 1) : x2 + 1] = False
    assert not bright[outside & visible].any()


def test_masks_from_the_command_line(tmp_path: Path, astronaut_uint8: np.ndarray) -> None:
    Image.fromarray(astronaut_uint8[:220, 120:340]).save(tmp_path / "face.png")
    one, two, other = (tmp_path / f"{name}.png" for name in ("one", "two", "other"))
    assert run("figure", "masks", tmp_path / "face.png", "-o", one).exit_code == 0
    assert run("figure", "masks", tmp_path / "face.png", "-o", two, "--seed", "0").exit_code == 0
    assert run("figure", "masks", tmp_path / "face.png", "-o", other, "--seed", "1").exit_code == 0
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes() != other.read_bytes()


def test_masks_need_a_face(tmp_path: Path) -> None:
    Image.new("RGB", (80, 80), "grey").save(tmp_path / "wall.png")
    result = run("figure", "masks", tmp_path / "wall.png", "-o", tmp_path / "out.png")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"lumiface: {tmp_path / 'wall.png'}: no face found")
    assert not (tmp_path / "out.png").exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    result = run("figure", "histogram", tmp_path / "none.png", "-o", tmp_path / "out.png")
    assert result.exit_code == 1
    assert "none.png: there is no such file" in result.stderr


def test_every_option_has_a_help_text() -> None:
    for command in ("histogram", "masks"):
        lines = run("figure", command, "--help").output.split("Options:")[1].splitlines()
        for number, line in enumerate(lines):
            if line.startswith("  -"):
                text = line.strip().split("  ", 1)[1:] or [lines[number + 1].strip()]
                assert text[0].strip(), line

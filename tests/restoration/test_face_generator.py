"""Sampled faces: by seed, truncated, interpolated."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from lumiface.cli import app
from lumiface.core.errors import InputError, SettingError
from lumiface.imaging.io import read_picture
from lumiface.methods.fusion_bfr.generator import Generator, GeneratorConfig
from lumiface.restoration.face_generator import FaceGenerator
from lumiface.training.checkpoint import save_weights


@pytest.fixture
def model(tmp_path: Path) -> str:
    torch.manual_seed(0)
    network = Generator(
        GeneratorConfig(resolution=32, latent=16, mapping=2, channel_base=256, max_channels=16)
    )
    with torch.no_grad():
        network.w_avg.copy_(network.mapping(torch.randn(500, 16)).mean(dim=0))
        for layer in (*network.first, *network.second):
            layer.noise.fill_(0.1)  # type: ignore[operator, union-attr]
    path = tmp_path / "generator.safetensors"
    provenance = {"best_minus_fd_squeezenet": -1.0}
    save_weights(path, network.state_dict(), method="stylegan2", config=network.config, provenance=provenance)
    return str(path)


def test_a_face_depends_on_its_seed_alone(model: str) -> None:
    generator = FaceGenerator(model)
    five = generator.faces(5, seed=3)
    assert five.shape == (5, 3, 32, 32)
    assert 0.0 <= five.min() <= five.max() <= 1.0
    assert torch.equal(five, FaceGenerator(model).faces(5, seed=3))
    latents = generator.latents([3, 4, 5])
    torch.testing.assert_close(latents[2:], generator.latents([5]))
    assert (latents[0] - latents[1]).abs().max() > 0.01


def test_truncation_moves_latents_towards_their_mean(model: str) -> None:
    full, half, none = (FaceGenerator(model, psi).latents([1, 2, 3]) for psi in (1.0, 0.5, 0.0))
    mean = FaceGenerator(model).network.w_avg.expand_as(none)
    torch.testing.assert_close(none, mean)
    torch.testing.assert_close(half, 0.5 * (full + mean))
    variance = [FaceGenerator(model, psi).faces(8).var(dim=0).mean().item() for psi in (1.0, 0.5, 0.0)]
    assert variance[0] > variance[1] > variance[2]
    assert variance[2] == pytest.approx(0.0, abs=1e-10)


def test_interpolations_begin_and_end_at_faces(model: str) -> None:
    generator = FaceGenerator(model, 1.0)
    paths = generator.interpolate(2, 5, seed=0)
    assert len(paths) == 10
    ends = generator.synthesise(generator.latents([0, 1, 2, 3]))
    torch.testing.assert_close(paths[[0, 4, 5, 9]], ends, atol=1e-5, rtol=1e-5)
    steps = (paths[1:5] - paths[:4]).abs().mean(dim=(1, 2, 3))
    assert steps.max() < 4 * steps.min()  # no jump along the path


def test_the_command_writes_a_sheet(model: str, tmp_path: Path) -> None:
    for extra, size in (([], (3 * 36 + 4, 3 * 36 + 4)), (["--interpolate", "2"], (2 * 36 + 4, 9 * 36 + 4))):
        sheet = tmp_path / "sheet.png"
        result = CliRunner().invoke(app, ["sample", model, "-o", str(sheet), "--count", "9", *extra])
        assert result.exit_code == 0, result.output
        assert read_picture(sheet).rgb.shape[-2:] == size
        assert "32x32" in result.output


def test_mistakes_are_named(model: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such generator"):
        FaceGenerator(str(tmp_path / "absent.safetensors"))
    with pytest.raises(SettingError, match="truncation 2"):
        FaceGenerator(model, 2.0)

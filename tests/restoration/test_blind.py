"""`restore --task blind`: what is restored, what is left alone, and the settings that are its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from torch import nn
from typer.testing import CliRunner

from lumiface.cli import app
from lumiface.core.errors import SettingError
from lumiface.imaging.color import luma
from lumiface.imaging.io import Picture, read_picture
from lumiface.methods.fusion_bfr.model import FusionBFR, FusionBFRConfig
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.restorer import Restorer
from lumiface.training.checkpoint import save_weights

TINY: dict[str, Any] = {
    "encoder": {"resolution": 32, "channel_base": 256, "max_channels": 16, "latent": 16},
    "generator": {"resolution": 32, "latent": 16, "mapping": 2, "channel_base": 256, "max_channels": 16},
    "heads": 2,
}


@pytest.fixture
def model(tmp_path: Path) -> str:
    torch.manual_seed(0)
    config = FusionBFRConfig.model_validate(TINY)
    network = FusionBFR(config)
    for transform in network.sft:
        nn.init.normal_(transform.beta[-1].weight, std=0.05)  # type: ignore[index, union-attr, arg-type]
    path = tmp_path / "blind.safetensors"
    provenance = {"best_minus_lpips_squeeze": -0.3}
    save_weights(path, network.state_dict(), method="fusion_bfr", config=config, provenance=provenance)
    return str(path)


@pytest.fixture
def blurred(astronaut_uint8: np.ndarray) -> Picture:
    """A well-lit face of about 130 pixels that was blurred."""
    soft = Image.fromarray(astronaut_uint8[:300, 60:380]).filter(ImageFilter.GaussianBlur(5))
    return Picture(torch.from_numpy(np.array(soft)).permute(2, 0, 1)[None].float() / 255.0)


def restored(model: str, picture: Picture, **settings: Any) -> Any:
    return Restorer(model, RestoreConfig(background="keep", **settings))(picture)


def test_blurred_faces_are_restored_and_sharp_ones_keep_their_detail(
    model: str, blurred: Picture, astronaut_uint8: np.ndarray
) -> None:
    result = restored(model, blurred)
    assert (result.task, result.scale) == ("blind", 1)
    (face,) = result.faces
    assert face.treatment == "restored"
    assert face.before.detail < 64 < face.before.side
    assert not torch.equal(result.picture.rgb, blurred.rgb)
    sharp = Picture(torch.from_numpy(astronaut_uint8[:300, 60:380].copy()).permute(2, 0, 1)[None] / 255.0)
    kept = restored(model, sharp)
    assert kept.faces[0].treatment == "unchanged"  # it is well lit, too
    assert torch.equal(kept.picture.rgb, sharp.rgb)


def test_fidelity_and_refinement_change_the_face(model: str, blurred: Picture) -> None:
    plain, free, sought = (
        restored(model, blurred, **settings).picture.rgb
        for settings in ({}, {"fidelity": 0.0}, {"refine": 3})
    )
    assert not torch.equal(plain, free)
    assert not torch.equal(plain, sought)
    restorer = Restorer(model, RestoreConfig(background="keep", refine=3))
    lines: list[str] = []
    restorer.log = lines.append
    assert torch.equal(sought, restorer(blurred).picture.rgb)
    assert len(lines) == 4
    assert lines[-1].startswith("face 1 of 1: step 3 of 3, ")


def test_grey_stays_grey_unless_colour_is_asked_for(model: str, blurred: Picture) -> None:
    grey = Picture(luma(blurred.rgb).expand(-1, 3, -1, -1).contiguous())
    grey_result, coloured = (restored(model, grey, colour=colour).picture.rgb for colour in (False, True))
    assert (grey_result.amax(1) - grey_result.amin(1)).max() == 0
    assert (coloured.amax(1) - coloured.amin(1)).max() > 0.02


def test_its_settings_are_its_own(model: str) -> None:
    for setting in ({"fidelity": 0.5}, {"refine": 1}, {"colour": True}):
        with pytest.raises(SettingError, match="is for --task blind"):
            Restorer("lfsrnet-lite", RestoreConfig(**setting))
        Restorer(model, RestoreConfig(**setting))


def test_the_command(model: str, blurred: Picture, tmp_path: Path) -> None:
    photo = tmp_path / "old.png"
    Image.fromarray((blurred.rgb[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)).save(photo)
    words = ["restore", str(photo), "--model", model, "--fidelity", "0.5", "--refine", "2", "--device", "cpu"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "output of the network" in result.output
    assert read_picture(tmp_path / "old_lumiface.png").rgb.shape == blurred.rgb.shape

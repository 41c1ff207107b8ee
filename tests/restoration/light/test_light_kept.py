"""Light that is meant: coloured lamps, frames, and what is well lit beside what is not."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from helpers import SHARED_DIR, finder
from lumiface.imaging.color import luma
from lumiface.imaging.io import Picture, read_picture
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.restored import Restored
from lumiface.restoration.restorer import Restorer

FACE = (..., slice(45, 95), slice(75, 120))
"""Of `portrait`: from the brows to the chin."""


@pytest.fixture(scope="module")
def restorer() -> Restorer:
    return Restorer(config=RestoreConfig(scale=1))


@pytest.fixture(scope="module")
def portrait() -> Tensor:
    """One face of 99 pixels, in white light."""
    from skimage.data import astronaut

    rgb = torch.from_numpy(astronaut()).permute(2, 0, 1)[None].float() / 255.0
    return F.interpolate(rgb[..., :330, 60:390], size=(198, 198), mode="area")


def _run(restorer: Restorer, rgb: Tensor) -> tuple[Tensor, Restored]:
    stored = (rgb.clamp(0, 1) * 255).round() / 255
    return stored, restorer(Picture(stored))


def _contrast(face: Tensor) -> float:
    strong = face.amax(dim=1)
    return float(strong.std() / strong.mean())


@pytest.mark.parametrize("level", [0.75, 0.3])
@pytest.mark.parametrize(
    "lamp", [(1.0, 0.1, 0.08), (0.08, 0.12, 1.0), (0.9, 0.08, 0.8)], ids=["red", "blue", "magenta"]
)
def test_a_lamp_of_one_colour(
    restorer: Restorer, portrait: Tensor, lamp: tuple[float, float, float], level: float
) -> None:
    """Bright or dim: its colour stays, no channel is clipped, and the face is not flat."""
    white = 0.25 * luma(portrait) + 0.75 * portrait
    before, result = _run(restorer, level * white**1.2 * torch.tensor(lamp).view(1, 3, 1, 1))
    after = result.picture.rgb
    assert len(result.faces) == 1
    assert float((after >= 254.5 / 255.0).float().mean()) == 0.0
    colour, kept = before[FACE].mean(dim=(0, 2, 3)), after[FACE].mean(dim=(0, 2, 3))
    assert float(F.cosine_similarity(colour, kept, dim=0)) > 0.995
    assert _contrast(after[FACE]) > 0.8 * _contrast(before[FACE])
    assert float(kept.max()) < max(0.45, 1.05 * float(colour.max()))
    assert float(kept.max()) > 0.95 * float(colour.max())


@pytest.mark.parametrize("level", [0.55, 0.85])
@pytest.mark.parametrize("sides", [(16, 16, 16, 16), (0, 0, 12, 40)], ids=["mount", "strips"])
def test_a_frame_stays_as_it_is(
    restorer: Restorer, portrait: Tensor, level: float, sides: tuple[int, int, int, int]
) -> None:
    """The photograph in it gets its light."""
    dark, frame = 0.35 * portrait**1.6, F.pad(torch.zeros_like(portrait[:, :1]), sides, value=1.0).bool()
    before, result = _run(restorer, F.pad(dark, sides, value=level))
    after, inner = result.picture.rgb, ~frame.expand(-1, 3, -1, -1)
    assert torch.equal(after[~inner], before[~inner])
    assert float(after[inner].mean()) > 1.5 * float(before[inner].mean())


def test_what_is_well_lit_beside_a_face_in_the_shade_stays(restorer: Restorer, portrait: Tensor) -> None:
    before, result = _run(restorer, torch.cat([portrait, 0.4 * portrait.flip(-1) ** 1.5], dim=-1))
    after = result.picture.rgb
    assert sorted(face.treatment for face in result.faces) == ["relit", "unchanged"]
    assert float((after - before)[..., :150].abs().mean()) < 0.01
    shade = (..., slice(45, 95), slice(396 - 120, 396 - 75))
    assert float(luma(after[shade]).mean()) > 1.5 * float(luma(before[shade]).mean())


def test_the_handed_stage_light(restorer: Restorer) -> None:
    """Two faces under a red lamp; before, one of them became flat and bright."""
    before = read_picture(finder("LUMIFACE_CASES", SHARED_DIR / "cases")("light_red.png"))
    result = restorer(before)
    assert len(result.faces) == 2
    assert float((result.picture.rgb - before.rgb).abs().mean()) < 0.02

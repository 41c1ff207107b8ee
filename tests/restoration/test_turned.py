"""Photographs of people who are not upright in the pixels."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.faces.face import Face
from lumiface.faces.turns import turn
from lumiface.faces.upright import UprightFaces
from lumiface.imaging.io import Picture
from lumiface.restoration.restorer import RestoreConfig, Restorer
from lumiface.restoration.turned import ROTATED, turn_picture


@pytest.fixture(scope="module")
def restorer() -> Restorer:
    return Restorer(config=RestoreConfig(task="joint", scale=2, background_model="bicubic"))


@pytest.fixture(scope="module")
def dark() -> Picture:
    """A small, dark photograph of one face, not square, with transparency."""
    from skimage.data import astronaut

    rgb = torch.from_numpy(astronaut()).permute(2, 0, 1)[None].float() / 255.0
    small = F.interpolate(rgb[..., :320, 80:360], size=(96, 84), mode="area")
    alpha = torch.linspace(0.3, 1.0, 84).expand(1, 1, 96, 84)
    return Picture((0.7 * (0.95 * small) ** 2.5 * 255).round() / 255, alpha)


def _changed(result: Tensor, plain: Tensor) -> Tensor:
    return (result - plain).abs().mean()


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_photograph_is_restored_like_the_upright_one(
    restorer: Restorer, dark: Picture, quarters: int
) -> None:
    """Pixel by pixel, and its transparency with it; the report says how the face lies."""
    upright, turned = restorer(dark), restorer(turn_picture(dark, -quarters))
    assert [face.treatment for face in upright.faces] == ["restored"]
    assert torch.equal(turn(turned.picture.rgb, quarters), upright.picture.rgb)
    assert upright.picture.alpha is not None
    assert turned.picture.alpha is not None
    assert torch.equal(turn(turned.picture.alpha, quarters), upright.picture.alpha)
    (before,), (face,) = upright.faces, turned.faces
    assert (before.turned, face.turned) == (0, 90 * quarters)
    assert replace(face, box=before.box, turned=0) == before
    width, height = face.box[2] - face.box[0], face.box[3] - face.box[1]
    assert (width < height) == (quarters == 2)
    assert upright.notes == []
    assert turned.notes == [f"1 face turned by {90 * quarters} degrees, restored so"]


def test_faces_that_lie_differently_are_each_restored_as_they_lie(restorer: Restorer, dark: Picture) -> None:
    """Two on their heads, one on its side: nearly what each becomes alone."""
    alone = restorer(Picture(dark.rgb)).picture.rgb
    scene = torch.full((1, 3, 96, 264), 0.05)
    scene[..., :84] = turn(dark.rgb, 2)
    scene[..., 84:168] = turn(dark.rgb, 2)
    scene[..., :84, 168:] = turn(dark.rgb, 1)
    result = restorer(Picture(scene))
    assert sorted(face.turned for face in result.faces) == [180, 180, 270]
    assert [face.treatment for face in result.faces] == ["restored"] * 3
    assert result.notes == [
        "2 faces turned by 180 degrees, restored so",
        "1 face turned by 270 degrees, restored so",
    ]
    lying = turn(result.picture.rgb[..., :168, 336:], -1)
    plain = F.interpolate(dark.rgb, scale_factor=2, mode="bicubic")
    face = (..., slice(30, 96), slice(60, 120))
    assert float(_changed(lying[face], alone[face])) < 0.25 * float(_changed(alone[face], plain[face]))


def test_nothing_is_drawn_on_a_face_that_looks_rotated(
    restorer: Restorer, dark: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is drawn where a mouth is taken for eyes is worse than nothing."""
    points = ((30.0, 40.0), (50.0, 40.0), (40.0, 50.0), (32.0, 60.0), (48.0, 60.0))
    found = UprightFaces(0, [], [Face((20.0, 20.0, 60.0, 70.0), 0.96, points)])
    monkeypatch.setattr("lumiface.restoration.restorer.find_upright", lambda *_, **__: found)
    network = restorer.face_restorer.network  # type: ignore[union-attr]
    handle = network.register_forward_pre_hook(lambda *_: pytest.fail("drawn"))
    try:
        result = restorer(dark)
    finally:
        handle.remove()
    (face,) = result.faces
    assert (face.treatment, face.why) == ("relit", ROTATED)
    assert face.box == (20.0, 20.0, 60.0, 70.0)
    assert result.notes == [f"1 face {ROTATED}"]


def test_strength_0_leaves_a_turned_photograph_as_it_is(dark: Picture) -> None:
    restorer = Restorer(config=RestoreConfig(scale=1, strength=0.0))
    turned = turn_picture(dark, 2)
    assert torch.equal(restorer(turned).picture.rgb, turned.rgb)

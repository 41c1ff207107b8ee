"""One tone for each face of a photograph: in force around it, blended in between."""

from __future__ import annotations

import torch
from torch import Tensor

from lumiface.faces.align import TEMPLATE
from lumiface.faces.face import Face
from lumiface.restoration.light.relight import relight
from lumiface.restoration.light.tone_curve import ToneCurve
from lumiface.restoration.light.tone_map import tone_of_faces, uniform_tone


def _face(left: float, top: float, side: float) -> Face:
    points = tuple((left + side * u, top + side * v) for u, v in TEMPLATE)
    return Face((left, top, left + side, top + side), 1.0, points)


def _two(dark: float) -> Tensor:
    """A picture of textured skin, its right half darker by a factor."""
    picture = 0.5 + 0.1 * torch.rand(1, 3, 80, 240, generator=torch.Generator().manual_seed(0))
    picture = torch.nn.functional.avg_pool2d(picture, 5, 1, 2, count_include_pad=False)
    return picture * torch.where(torch.arange(240) < 120, 1.0, dark)


def test_a_lit_face_keeps_its_surroundings_and_one_in_the_shade_gets_light() -> None:
    picture = _two(0.2)
    faces = [_face(10, 10, 60), _face(170, 10, 60)]
    patches = [picture[..., 10:70, 10:70], 5.0 * picture[..., 10:70, 170:230]]
    lit = relight(picture, tone_of_faces(picture, faces, patches, [1.0, 0.0]))
    assert float((lit - picture)[..., :80].abs().max()) < 3.0 / 255.0
    neck = (..., slice(70, 80), slice(180, 220))
    assert float(lit[neck].mean()) > 0.85 * float(5.0 * picture[neck].mean())


def test_a_neck_gets_the_light_of_the_face_where_nothing_is_bright() -> None:
    """Skin of 0.2 that becomes 0.85, in a picture without bright tones that could wish to stay."""
    picture, face = torch.full((1, 3, 120, 120), 0.2), _face(30, 10, 60)
    lit = relight(picture, tone_of_faces(picture, [face], [torch.full((1, 3, 32, 32), 0.85)], [0.0]))
    assert float(lit[..., 80:, :].mean()) > 0.8
    window = picture.clone()
    window[..., :40, 100:] = 0.8
    lit = relight(window, tone_of_faces(window, [face], [torch.full((1, 3, 32, 32), 0.85)], [0.0]))
    assert float(lit[..., 5:35, 105:].mean()) < 0.94


def test_the_gain_is_continuous_between_the_faces() -> None:
    flat = torch.full((1, 3, 80, 240), 0.12)
    faces = [_face(10, 10, 60), _face(170, 10, 60)]
    patches = [torch.full((1, 3, 32, 32), 0.12), torch.full((1, 3, 32, 32), 0.5)]
    lit = relight(flat, tone_of_faces(flat, faces, patches, [1.0, 0.0]))[0, 0, 40]
    assert float(lit.diff().abs().max()) < 0.012
    assert bool((lit.diff() > -1e-3).all())


def test_one_curve_is_the_same_everywhere() -> None:
    light = torch.linspace(0.0, 1.0, 100).expand(1, 1, 10, 100)
    curve = ToneCurve(4.0, 0.5)
    gain, saturation = uniform_tone(curve).gains(light, light)
    torch.testing.assert_close(gain, curve.gain(light))
    assert float(saturation.min()) > 0.999

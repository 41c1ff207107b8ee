"""Whole photographs: what must hold whatever the network is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import lumiface
from lumiface.core.errors import SettingError
from lumiface.faces.measure import face_light
from lumiface.imaging.color import luma
from lumiface.imaging.io import ImageInfo, Picture, read_picture, write_picture
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.face_restorer import FaceRestorer
from lumiface.restoration.restored import Restored
from lumiface.restoration.restorer import NO_FACE, Restorer
from lumiface.restoration.tasks import TOO_DARK


@pytest.fixture(scope="module")
def restorer() -> Restorer:
    return Restorer(config=RestoreConfig(task="joint"))


@pytest.fixture(scope="module")
def portrait() -> Picture:
    """A small photograph of one face about 50 pixels large, in good light."""
    from skimage.data import astronaut

    rgb = torch.from_numpy(astronaut()).permute(2, 0, 1)[None].float() / 255.0
    return Picture(F.interpolate(rgb[..., :320, 60:380], size=(120, 120), mode="area"))


@pytest.fixture(scope="module")
def dark(portrait: Picture) -> Picture:
    return replace(portrait, rgb=(0.7 * (0.95 * portrait.rgb) ** 3 * 255).round() / 255)


def run(restorer: Restorer, picture: Picture, **settings: object) -> Restored:
    """The same networks under other settings."""
    before, restorer.config = restorer.config, RestoreConfig.model_validate({"task": "joint"} | settings)
    try:
        return restorer(picture)
    finally:
        restorer.config = before


def test_a_dark_face_comes_out_bright_and_four_times_larger(restorer: Restorer, dark: Picture) -> None:
    result = restorer(dark)
    assert result.picture.rgb.shape == (1, 3, 480, 480)
    assert [face.treatment for face in result.faces] == ["restored"]
    assert float(luma(dark.rgb).mean()) < 0.2
    assert float(luma(result.picture.rgb).mean()) > 0.35


def test_it_is_nearer_the_truth_than_the_dark_picture(
    restorer: Restorer, dark: Picture, portrait: Picture
) -> None:
    x1, y1, x2, y2 = (round(4 * v) for v in restorer(dark).faces[0].box)
    truth = F.interpolate(portrait.rgb, scale_factor=4, mode="bicubic").clamp(0, 1)
    plain = F.interpolate(dark.rgb, scale_factor=4, mode="bicubic").clamp(0, 1)
    restored = restorer(dark).picture.rgb
    face = (..., slice(y1, y2), slice(x1, x2))
    assert float((restored - truth)[face].abs().mean()) < 0.4 * float((plain - truth)[face].abs().mean())


def test_a_well_lit_face_keeps_its_light_and_colour(restorer: Restorer, portrait: Picture) -> None:
    result = restorer(portrait)
    assert result.faces[0].own_light == 1.0
    small = F.interpolate(result.picture.rgb, size=(12, 12), mode="area")
    before = F.interpolate(portrait.rgb, size=(12, 12), mode="area")
    assert float((small - before).abs().mean()) < 0.02


def test_a_large_well_lit_face_is_left_exactly_as_it_is(restorer: Restorer, portrait: Picture) -> None:
    large = replace(portrait, rgb=F.interpolate(portrait.rgb, scale_factor=4.0, mode="bicubic").clamp(0, 1))
    result = run(restorer, large, scale=1)
    assert [face.treatment for face in result.faces] == ["unchanged"]
    assert torch.equal(result.picture.rgb, large.rgb)


@pytest.mark.parametrize("task", ["joint", "enhance", "blind", "auto"])
def test_a_well_lit_face_of_743_pixels_changes_by_less_than_a_level(task: str) -> None:
    from skimage.data import astronaut

    sharp = torch.from_numpy(astronaut()[:320, 60:380].copy()).permute(2, 0, 1)[None].float() / 255.0
    restorer = Restorer(None, RestoreConfig.model_validate({"task": task, "scale": 1}))
    side = restorer(Picture(sharp)).faces[0].before.side
    rgb = F.interpolate(sharp, scale_factor=743 / side, mode="bicubic").clamp(0, 1)
    result = restorer(Picture(rgb))
    assert result.faces[0].before.side == pytest.approx(743, rel=0.03)
    assert float((result.picture.rgb - rgb).abs().max()) < 1.0 / 255.0


def test_a_dim_face_before_a_bright_sea_is_lit(restorer: Restorer, portrait: Picture) -> None:
    """The mean over face and sea says well lit; the face does not. The sea stays as bright as it is."""
    rgb = F.interpolate(portrait.rgb, scale_factor=4.0, mode="bicubic").clamp(0, 1)
    ((x1, y1, x2, y2),) = [face.box for face in run(restorer, Picture(rgb), scale=1).faces]
    x, y = torch.arange(rgb.shape[-1]) + 0.5, (torch.arange(rgb.shape[-2]) + 0.5)[:, None]
    across, down = (x - (x1 + x2) / 2) / (0.62 * (x2 - x1)), (y - (y1 + y2) / 2) / (0.66 * (y2 - y1))
    head = (across.square() + down.square() < 1.0) | (y > y2)
    scene = torch.where(head, 0.3 * rgb, torch.tensor([0.75, 0.85, 0.95]).view(1, 3, 1, 1))
    result = run(restorer, Picture(scene), scale=1, strength=1.0)
    assert len(result.faces) == 1
    face = (..., slice(round(0.6 * y1 + 0.4 * y2), round(y2)), slice(round(x1 + 10), round(x2 - 10)))
    assert result.faces[0].own_light < 0.5
    assert float(luma(result.picture.rgb[face]).mean()) > 1.4 * float(luma(scene[face]).mean())
    corner = (..., slice(0, 60), slice(0, 60))
    assert float((result.picture.rgb - scene)[corner].abs().max()) < 0.08


def test_nothing_is_drawn_on_a_face_too_dark_to_read(restorer: Restorer, portrait: Picture) -> None:
    """Its own levels, brighter; no network sees it, and the report and the notes say so."""
    night = replace(portrait, rgb=(0.024 * portrait.rgb * 255).round() / 255)
    assert isinstance(restorer.face_restorer, FaceRestorer)
    x1, y1, x2, y2 = restorer(portrait).faces[0].box
    box = [(x1, y1, x2 - x1, y2 - y1)]
    seen: list[torch.Size] = []
    network = restorer.face_restorer.network
    handle = network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    try:
        before, restorer.config = restorer.config, RestoreConfig(scale=1)
        result = restorer(night, boxes=box)
        restorer.config = before
        assert seen == []
        restorer(portrait, boxes=box)
        assert len(seen) == 1
    finally:
        handle.remove()
    (face,) = result.faces
    assert face.before.light < 0.02
    assert (face.treatment, face.why) == ("relit", TOO_DARK)
    assert result.notes == [f"1 face {TOO_DARK}"]
    middle = (
        ...,
        slice(round(0.4 * y1 + 0.6 * y2), round(0.2 * y1 + 0.8 * y2)),
        slice(round(x1 + 12), round(x2 - 12)),
    )
    dark, lit = (luma(rgb)[middle] for rgb in (night.rgb, result.picture.rgb))
    assert float(lit.mean()) > 5.0 * float(dark.mean())
    assert float(torch.corrcoef(torch.stack([dark.flatten(), lit.flatten()]))[0, 1]) > 0.9


def test_noise_is_not_removed_where_no_face_needs_it(
    restorer: Restorer, portrait: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[torch.Size] = []

    def spy(rgb: Tensor, out: Tensor | None = None) -> Tensor:
        calls.append(rgb.shape)
        return rgb

    monkeypatch.setattr("lumiface.restoration.restorer.denoise_shadows", spy)
    large = replace(portrait, rgb=F.interpolate(portrait.rgb, scale_factor=4.0, mode="bicubic").clamp(0, 1))
    assert run(restorer, large, scale=1).faces[0].treatment == "unchanged"
    assert calls == []
    run(restorer, replace(large, rgb=0.3 * large.rgb), scale=1)
    assert len(calls) == 1


def test_a_good_photograph_keeps_its_dark_texture(restorer: Restorer, portrait: Picture) -> None:
    rgb = portrait.rgb.clone()
    generator = torch.Generator().manual_seed(0)
    rgb[..., 80:, :30] = 0.06 + 0.02 * torch.randn(1, 3, 40, 30, generator=generator)
    rgb = rgb.clamp(0, 1)
    kept = run(restorer, replace(portrait, rgb=rgb), scale=1).picture.rgb
    assert float((kept - rgb)[..., 85:115, 5:25].abs().mean()) < 0.004


def test_strength_0_is_the_input_and_strength_grows_evenly(restorer: Restorer, dark: Picture) -> None:
    assert torch.equal(run(restorer, dark, scale=1, strength=0.0).picture.rgb, dark.rgb)
    plain = run(restorer, dark, strength=0.0).picture.rgb
    distances = [
        float((run(restorer, dark, strength=s).picture.rgb - plain).abs().mean())
        for s in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert distances == sorted(distances)
    assert distances[2] == pytest.approx(distances[4] / 2, rel=0.02)


def test_background_keep_changes_nothing_outside_the_faces(restorer: Restorer, dark: Picture) -> None:
    kept = run(restorer, dark, background="keep").picture.rgb
    plain = run(restorer, dark, strength=0.0).picture.rgb
    changed = (kept != plain).any(dim=1)[0]
    rows, columns = torch.nonzero(changed, as_tuple=True)
    x1, y1, x2, y2 = (4 * v for v in restorer(dark).faces[0].box)
    side = max(x2 - x1, y2 - y1)
    assert 0 < float(changed.float().mean()) < 0.9
    assert float(rows.min()) > y1 - side
    assert float(columns.min()) > x1 - side
    assert float(columns.max()) < x2 + side


def test_faces_none_enlarges_and_lights_only(restorer: Restorer, dark: Picture) -> None:
    result = run(restorer, dark, faces="none")
    assert result.faces == []
    assert "as requested" in result.notes[0]
    assert float(luma(result.picture.rgb).mean()) == pytest.approx(0.42, abs=0.06)


def test_the_scale_of_one_call_goes_before_all_others(restorer: Restorer, dark: Picture) -> None:
    before, restorer.config = restorer.config, RestoreConfig(scale=4, faces="none")
    try:
        assert restorer(dark, (), 2).picture.rgb.shape[-1] == 2 * dark.rgb.shape[-1]
        with pytest.raises(SettingError, match="scale 3"):
            restorer(dark, scale=3)
    finally:
        restorer.config = before


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_every_scale_and_odd_size(restorer: Restorer, dark: Picture, scale: int) -> None:
    odd = replace(dark, rgb=dark.rgb[..., :113, :117], alpha=torch.ones(1, 1, 113, 117))
    result = run(restorer, odd, scale=scale)
    assert result.picture.rgb.shape[-2:] == (113 * scale, 117 * scale)
    assert result.picture.alpha is not None
    assert result.picture.alpha.shape[-2:] == (113 * scale, 117 * scale)
    assert bool(torch.isfinite(result.picture.rgb).all())


def test_a_result_that_would_be_too_large_is_made_smaller_and_says_so(
    restorer: Restorer, dark: Picture
) -> None:
    result = run(restorer, dark, max_output_megapixels=0.1)
    assert result.scale == 2
    assert "x2" in result.notes[0]


def test_grey_stays_grey(restorer: Restorer, dark: Picture) -> None:
    grey = Picture(luma(dark.rgb).expand(-1, 3, -1, -1), info=ImageInfo(grey=True))
    rgb = restorer(grey).picture.rgb
    assert float((rgb.amax(1) - rgb.amin(1)).max()) < 1e-6


def test_dark_colour_is_not_taken_for_grey(restorer: Restorer, dark: Picture) -> None:
    rgb = restorer(dark).picture.rgb
    assert float((rgb.amax(1) - rgb.amin(1)).mean()) > 0.05


def test_all_faces_of_a_photograph(restorer: Restorer, dark: Picture) -> None:
    two = Picture(torch.cat([dark.rgb, dark.rgb.flip(-1)], dim=-1))
    result = restorer(two)
    assert len(result.faces) == 2
    left, right = result.picture.rgb.chunk(2, dim=-1)
    assert face_light(left) == pytest.approx(face_light(right.flip(-1)), abs=0.05)
    assert len(run(restorer, two, faces="largest").faces) == 1


def test_a_face_pointed_out_by_hand(restorer: Restorer, dark: Picture) -> None:
    x1, y1, x2, y2 = restorer(dark).faces[0].box
    result = restorer(dark, boxes=[(x1, y1, x2 - x1, y2 - y1)])
    assert len(result.faces) == 1


def test_the_same_photograph_twice_gives_the_same_pixels(restorer: Restorer, dark: Picture) -> None:
    assert torch.equal(restorer(dark).picture.rgb, restorer(dark).picture.rgb)


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (12, 12)])
def test_tiny_pictures_pass(restorer: Restorer, size: tuple[int, int]) -> None:
    result = restorer(Picture(torch.full((1, 3, *size), 0.1)))
    assert result.picture.rgb.shape[-2:] == (4 * size[0], 4 * size[1])
    assert result.notes == [NO_FACE]


def test_the_one_line_api(tmp_path: Path, dark: Picture) -> None:
    write_picture(dark, tmp_path / "dark.png")
    result = lumiface.restore(tmp_path / "dark.png", tmp_path / "bright.jpg")
    written: Tensor = read_picture(tmp_path / "bright.jpg").rgb
    assert written.shape == result.picture.rgb.shape
    assert float((written - result.picture.rgb).abs().mean()) < 0.02

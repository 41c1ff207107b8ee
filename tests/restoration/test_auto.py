"""`task="auto"`: each face by what it lacks; what lacks nothing stays as it is, exactly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from lumiface.faces.measure import FaceMeasures
from lumiface.imaging.io import Picture
from lumiface.restoration.auto_restorer import AutoRestorer, summarize
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.restorer import NO_FACE, Restorer
from lumiface.restoration.tasks import TaskChoice


def as_picture(pixels: np.ndarray) -> Picture:
    return Picture(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255.0)


@pytest.fixture(scope="module")
def restorer() -> Restorer:
    return Restorer(None, RestoreConfig(task="auto"))


def test_a_light_and_sharp_face_stays_exactly_as_it_is(
    restorer: Restorer, astronaut_uint8: np.ndarray
) -> None:
    picture = as_picture(astronaut_uint8[:320, 60:380])
    result = restorer(picture)
    assert [face.treatment for face in result.faces] == ["unchanged"]
    assert result.faces[0].why == "enough light and detail: nothing to do"
    assert (result.scale, result.task) == (1, None)
    assert torch.equal(result.picture.rgb, picture.rgb)


def test_faces_of_one_photograph_get_different_treatments(
    restorer: Restorer, astronaut_uint8: np.ndarray
) -> None:
    light = astronaut_uint8[:320, 60:380]
    dark = (light[:, ::-1] * 0.2).astype(np.uint8)
    blurred = Image.fromarray(light).resize((64, 64), Image.Resampling.LANCZOS)
    pixels = np.concatenate([light, dark, np.asarray(blurred.resize((320, 320)))], axis=1)
    result = restorer(as_picture(pixels))
    found = {int(face.box[0]) // 320: face for face in result.faces}
    assert [found[i].treatment for i in range(3)] == ["unchanged", "relit", "restored"]
    assert found[1].why.startswith("dark")
    assert found[2].why == "enough light, blurred"
    change = (result.picture.rgb - torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255.0).abs()
    x1, y1, x2, y2 = (round(value) for value in found[0].box)
    assert float(change[..., y1:y2, x1:x2].max()) < 1.5 / 255  # nothing is drawn over it


def test_auto_is_what_is_done_when_nothing_is_named(restorer: Restorer, astronaut_uint8: np.ndarray) -> None:
    default = Restorer()
    assert isinstance(default.face_restorer, AutoRestorer)
    assert not isinstance(Restorer("lumiface-x4-real").face_restorer, AutoRestorer)
    blurred = Image.fromarray(astronaut_uint8[:320, 60:380]).resize((40, 40), Image.Resampling.LANCZOS)
    picture = as_picture(np.asarray(blurred.resize((160, 160))))
    result, named = default(picture), restorer(picture)
    assert [face.why for face in result.faces] == ["enough light, blurred"]
    assert torch.equal(result.picture.rgb, named.picture.rgb)
    colourised = Restorer(config=RestoreConfig(colour=True))  # only the blind task has that
    assert not isinstance(colourised.face_restorer, AutoRestorer)
    assert colourised.face_restorer.task.name == "blind"
    nobody = default(Picture(torch.full((1, 3, 40, 40), 0.1)))
    assert (nobody.scale, nobody.notes) == (1, [NO_FACE])


def test_the_main_face_decides_the_scale(restorer: Restorer) -> None:
    auto = restorer.face_restorer
    assert isinstance(auto, AutoRestorer)
    small, large = FaceMeasures(60, 0.1, 55), FaceMeasures(300, 0.1, 250)
    assert auto.scale([small]) == 4
    assert auto.scale([small, large]) == 1
    assert auto.scale([FaceMeasures(300, 0.6, 280)]) == 1
    assert auto.scale([]) == 1


def test_the_summary_counts_alike_treatments() -> None:
    choices = [TaskChoice("joint", "dark, small")] * 2 + [TaskChoice(None, "nothing to do")]
    assert summarize(choices) == "auto: 2 faces joint (dark, small); 1 face unchanged (nothing to do)"


def test_where_no_face_is_found_the_note_says_what_was_tried(restorer: Restorer) -> None:
    assert restorer(Picture(torch.full((1, 3, 64, 64), 0.1))).notes == [NO_FACE]

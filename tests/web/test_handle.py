"""The work of the process that restores, done in this one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from lumiface.core.errors import InputError
from lumiface.imaging.io import Picture, read_picture, write_picture
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.restorer import Restorer
from lumiface.web.work.handle import HELD, Handler, Setup
from lumiface.web.work.tasks import AFTER, BEFORE, PRIOR, REPORT, TURNTABLE, Task

QUICK = RestoreConfig(task="joint", scale=1)


@pytest.fixture(scope="module")
def handler() -> Handler:
    return Handler(Setup())


@pytest.fixture
def task(dark: tuple[Tensor, Tensor], tmp_path: Path) -> Task:
    """A dark photograph of one face, to be restored."""
    write_picture(Picture(0.5 * dark[0]), tmp_path / "upload.png")
    return Task("restore", tmp_path / "upload.png", "party.png", tmp_path, QUICK)


def nothing(stage: str, faces: int) -> None:
    del stage, faces


def test_find_then_restore_the_chosen_face(handler: Handler, task: Task) -> None:
    stages: list[tuple[str, int]] = []
    found = handler(replace(task, kind="find", previews=True), nothing)
    (face,) = found["faces"]
    assert Image.open(task.folder / BEFORE).size == (found["width"], found["height"]) == (128, 128)
    x1, y1, x2, y2 = face["box"]
    chosen = replace(task, boxes=((x1, y1, x2 - x1, y2 - y1),), previews=True)
    answer = handler(chosen, lambda stage, faces: stages.append((stage, faces)))
    assert stages == [("reading", 0), ("finding", 0), ("restoring", 1), ("surroundings", 1), ("writing", 1)]
    assert answer["faces"][0]["box"] == pytest.approx(face["box"], abs=0.2)
    result = read_picture(task.folder / answer["file"]).rgb
    whole = Restorer(None, QUICK)(task.source)
    assert torch.allclose(result, whole.picture.rgb, atol=0.03)
    assert Image.open(task.folder / AFTER).size == (128, 128)
    assert json.loads((task.folder / REPORT).read_text()) == answer


def test_a_program_gets_the_format_that_it_gave(handler: Handler, task: Task) -> None:
    Image.open(task.source).convert("RGBA").save(task.folder / "upload", "WEBP", lossless=True)
    answer = handler(replace(task, source=task.folder / "upload"), nothing)
    assert answer["file"] == "result.webp"
    assert not (task.folder / BEFORE).exists()


def test_restorers_are_kept_and_bounded(handler: Handler, task: Task) -> None:
    for strength in (0.2, 0.4, 0.6, 0.2, 0.8, 0.2):
        config = RestoreConfig(task="joint", scale=1, strength=strength, faces="none")
        handler(replace(task, config=config), nothing)
        assert len(handler._held) <= HELD
    assert len({id(restorer) for restorer in handler._held.values()}) == HELD


def test_what_cannot_be_read_is_one_line(handler: Handler, task: Task) -> None:
    with pytest.raises(InputError, match=r"party\.png has 128×128 .* more than the limit of 0\.01"):
        handler(replace(task, max_megapixels=0.01), nothing)


@pytest.mark.slow
def test_the_prior_and_its_turntable(handler: Handler, task: Task) -> None:
    config = RestoreConfig(task="enhance", save_prior=True)
    answer = handler(replace(task, config=config), nothing)
    assert answer["prior"]
    assert Image.open(task.folder / TURNTABLE).n_frames > 10  # type: ignore[attr-defined]
    assert Image.open(task.folder / PRIOR).width > 500

"""Contact sheets: what is on them, that nothing stops them, and that they never replace an input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from typer.testing import CliRunner

from lumiface.cli import app
from lumiface.core.errors import SettingError
from lumiface.faces.measure import FaceMeasures
from lumiface.figures.before_after import FACE_SIDE, WIDTH, FacePair, before_after_row, face_window
from lumiface.imaging.io import Picture, read_picture
from lumiface.restoration import sheet as sheet_module
from lumiface.restoration.batch import Box, Summary, run_jobs
from lumiface.restoration.files.jobs import plan_jobs
from lumiface.restoration.restored import FaceReport, Restored
from lumiface.restoration.sheet import ContactSheet, summarise


class Whitener:
    """Twice the size and white, with `count` faces; refuses pictures with a red first pixel."""

    def __init__(self, count: int = 1) -> None:
        self.count = count

    def __call__(self, picture: Picture, boxes: Sequence[Box] = (), scale: int | None = None) -> Restored:
        if float(picture.rgb[0, 0, 0, 0]) == 1.0:
            raise ValueError("red")
        size = [2 * side for side in picture.rgb.shape[-2:]]
        measures = FaceMeasures(side=12.0, light=0.1, detail=8.0)
        face = FaceReport((2, 2, 8, 8), 1.0, measures, "restored", 0.0)
        rgb, alpha = torch.ones(1, 3, *size), picture.alpha
        if alpha is not None:
            alpha = alpha.repeat_interleave(2, -1).repeat_interleave(2, -2)
        return Restored(Picture(rgb, alpha, picture.info), 2, "joint", [face] * self.count, ["a note"])


def write(path: Path, colour: tuple[int, int, int] = (40, 90, 160)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((30, 40, 3), colour, np.uint8)).save(path)
    return path


def run(folder: Path, sheet: Path, count: int = 1, *, overwrite: bool = False) -> Summary:
    return run_jobs(
        plan_jobs([str(folder)], folder.parent / "out"),
        Whitener(count),
        sheet=ContactSheet(sheet),
        overwrite=overwrite,
    )


def count(sheet: Tensor, colour: tuple[int, int, int]) -> int:
    """Number of pixels that have about this colour."""
    distance = (sheet * 255 - torch.tensor(colour).view(1, 3, 1, 1)).abs().amax(1)
    return int((distance < 4).sum())


def test_the_row_shows_whole_and_face_before_and_after() -> None:
    blue, red = (torch.tensor(c).view(1, 3, 1, 1).expand(1, 3, 30, 40) for c in ((0, 0, 1.0), (1.0, 0, 0)))
    faces = [FacePair(blue[..., :9, :9], red[..., :20, :20], "restored")] * 2
    row = before_after_row("a.png", "done", (blue, red), faces)
    assert row.dtype == torch.uint8
    assert row.shape[-1] == WIDTH
    shown = row.float() / 255
    whole = 328 * 246  # 4 : 3
    for colour in ((0, 0, 255), (255, 0, 0)):
        assert count(shown, colour) == whole + 2 * FACE_SIDE**2
    # The same size after as before, though the result is larger.
    larger = red.repeat_interleave(4, 2).repeat_interleave(4, 3)
    assert torch.equal(before_after_row("a.png", "done", (blue, larger), faces), row)
    many = before_after_row("a.png", "done", (blue, red), faces * 6)
    assert many.shape[-2] > row.shape[-2]
    assert before_after_row("a.png", "broken", None).shape[-2] < 80


@pytest.mark.parametrize("box", [(5, 5, 25, 25), (-10, -10, 12, 9), (30, 20, 60, 50), (0, 0, 400, 400)])
def test_faces_are_cut_out_alike_before_and_after(box: tuple[float, float, float, float]) -> None:
    ramp = torch.linspace(0, 1, 40).view(1, 1, 1, 40).expand(1, 3, 30, 40)
    before = face_window(ramp, box)
    after = face_window(ramp.repeat_interleave(2, 2).repeat_interleave(2, 3), box, 2.0)
    assert before.shape[-1] == before.shape[-2] > 0
    assert abs(after.shape[-1] - 2 * before.shape[-1]) <= 1
    assert float(after.mean()) == pytest.approx(float(before.mean()), abs=0.03)


def test_a_bad_file_has_its_line_and_the_sheet_is_written(tmp_path: Path) -> None:
    for name in "abc":
        write(tmp_path / "in" / f"{name}.png")
    write(tmp_path / "in" / "bug.png", (255, 0, 0))
    (tmp_path / "in" / "text.jpg").write_text("no picture")
    sheet = tmp_path / "new" / "sheet.png"
    summary = run(tmp_path / "in", sheet)
    assert len(summary.restored) == 3
    assert len(summary.failed) == 2
    assert summary.sheets == [sheet]
    assert list((tmp_path / "new").iterdir()) == [sheet]
    shown = read_picture(sheet).rgb
    assert shown.shape[-1] == WIDTH
    assert count(shown, (40, 90, 160)) == 3 * (328 * 246 + FACE_SIDE**2)


def test_kept_results_are_on_the_sheet_without_faces(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.png")
    run(tmp_path / "in", tmp_path / "first.png")
    summary = run(tmp_path / "in", tmp_path / "again.png")
    assert not summary.restored
    shown = read_picture(tmp_path / "again.png").rgb
    assert count(shown, (40, 90, 160)) == 328 * 246
    (tmp_path / "out" / "a.png").write_bytes(b"broken")
    assert len(run(tmp_path / "in", tmp_path / "third.png").failed) == 1


def test_what_is_transparent_is_white_and_a_result_beside_its_name_is_found(tmp_path: Path) -> None:
    samples = np.full((40, 50, 4), (40, 90, 160, 255), np.uint8)
    samples[:, :25, 3] = 0
    path = tmp_path / "in" / "named.jpg"
    path.parent.mkdir()
    Image.fromarray(samples).save(path, "PNG")
    run(tmp_path / "in", tmp_path / "first.png", count=0)
    shown = read_picture(tmp_path / "first.png").rgb
    assert 0.4 < count(shown, (40, 90, 160)) / (328 * 262) < 0.51
    summary = run(tmp_path / "in", tmp_path / "again.png")
    assert (summary.failed, list(summary.skipped.values())) == ([], ["already there"])
    assert count(read_picture(tmp_path / "again.png").rgb, (40, 90, 160)) > 0


def test_every_page_of_a_file_has_its_row(tmp_path: Path) -> None:
    """Of an animation the first frame alone is shown: the others are like it."""
    heights: list[int] = []
    pages = [Image.new("RGB", (40, 30), (40, 90, 20 * number)) for number in range(3)]
    for name in ("one.tif", "pages.tif", "film.gif"):
        folder = tmp_path / Path(name).stem
        folder.mkdir()
        pages[0].save(folder / name, save_all=True, append_images=[] if name == "one.tif" else pages[1:])
        run(folder, tmp_path / f"{name}.png")
        heights.append(Image.open(tmp_path / f"{name}.png").height)
    assert heights == [heights[0], 3 * heights[0], heights[0]]


def test_many_pictures_fill_numbered_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_module, "PAGE_HEIGHT", 900)
    for number in range(5):
        write(tmp_path / "in" / f"{number}.png")
    summary = run(tmp_path / "in", tmp_path / "sheet.jpg", count=25)
    assert [path.name for path in summary.sheets] == [
        f"sheet{end}.jpg" for end in ("", "-2", "-3", "-4", "-5")
    ]
    assert all(path.is_file() for path in summary.sheets)
    assert ContactSheet(Path("x_lumiface.png")).page_path(2) == Path("x-2_lumiface.png")


def test_an_interrupted_batch_leaves_its_sheet(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.png")
    write(tmp_path / "in" / "b.png")

    def stop(done: int, total: int, path: Path) -> None:
        raise KeyboardInterrupt

    sheet = ContactSheet(tmp_path / "sheet.png")
    with pytest.raises(KeyboardInterrupt):
        run_jobs(plan_jobs([str(tmp_path / "in")]), Whitener(), sheet=sheet, progress=stop)
    assert sheet.written == [tmp_path / "sheet.png"]


def test_a_sheet_that_cannot_be_written_is_one_failure(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.png")
    (tmp_path / "wall").write_text("a file where a folder should go")
    summary = run(tmp_path / "in", tmp_path / "wall" / "sheet.png")
    assert len(summary.restored) == 1
    (line,) = summary.failed
    assert line.startswith("contact sheet: ")
    assert summary.exit_code == 1


@pytest.mark.parametrize("name", ["a.png", "a-2.png"])
def test_no_input_is_replaced_by_a_page(tmp_path: Path, name: str) -> None:
    photo = write(tmp_path / "in" / name)
    before = photo.read_bytes()
    with pytest.raises(SettingError, match="is an input"):
        run(tmp_path / "in", tmp_path / "in" / "a.png")
    assert photo.read_bytes() == before
    with pytest.raises(SettingError, match=r"must end in one of \.png"):
        ContactSheet(Path("sheet.pdf"))


def test_the_summary_is_one_line() -> None:
    picture = Picture(torch.zeros(1, 3, 30, 40))
    assert summarise(Whitener(2)(picture)) == "joint x2 · 2 faces: 2 restored · a note"
    assert summarise(Whitener(0)(picture)) == "joint x2 · a note"
    assert summarise(replace(Whitener(0)(picture), task=None)) == "light only x2 · a note"
    assert summarise(replace(Whitener(2)(picture), task=None)).startswith("unchanged x2 · 2 faces")


def test_the_command_writes_it(astronaut_uint8: np.ndarray, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    dark = (60.0 * (astronaut_uint8 / 255.0) ** 2).astype(np.uint8)[::3, ::3]
    Image.fromarray(dark).save(folder / "dark.png")
    words = ["restore", str(folder), "-o", str(tmp_path / "out"), "--sheet", str(tmp_path / "sheet.png")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "sheet.png" in result.output
    assert read_picture(tmp_path / "sheet.png").rgb.shape[-1] == WIDTH
    refused = CliRunner().invoke(app, [*words[:-1], str(folder / "dark.png")])
    assert refused.exit_code == 2
    assert "is an input" in refused.output

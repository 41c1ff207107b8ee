"""Many files through one restorer: names, skipping, failures and counts. The restorer here only brightens."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lumiface.core.errors import OutputError, SettingError
from lumiface.faces.measure import FaceMeasures
from lumiface.imaging.io import Picture, read_picture
from lumiface.registry import list_models
from lumiface.restoration.batch import Box, Summary, restore_files
from lumiface.restoration.files.jobs import plan_jobs
from lumiface.restoration.restored import FaceReport, Restored
from lumiface.restoration.restorer import Restorer


class Brightener:
    """Twice the light, twice the size, one face "restored" and one "relit" in every picture."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault, self.calls, self.boxes = fault, 0, ()

    def __call__(self, picture: Picture, boxes: Sequence[Box] = (), scale: int | None = None) -> Restored:
        self.calls, self.boxes = self.calls + 1, tuple(boxes)
        if self.fault is not None and self.calls == 1:
            raise self.fault
        rgb = (picture.rgb * 2).clamp(0, 1).repeat_interleave(2, -1).repeat_interleave(2, -2)
        measures = FaceMeasures(side=8.0, light=0.1, detail=8.0)
        faces = [
            FaceReport((0, 0, 8, 8), 1.0, measures, treatment, 0.0) for treatment in ("restored", "relit")
        ]
        return Restored(Picture(rgb, None, picture.info), 2, "joint", faces, ["a note"])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name in ("a.jpg", "a.png", "2020/b.webp", "2020/summer/c.TIF"):
        write(folder / name)
    (folder / "notes.txt").write_text("not a picture, and not named like one")
    return folder


def write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((10, 12, 3), 60, np.uint8)).save(path)
    return path


def names(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


def restore(*inputs: Path | str, output: Path | None = None, **settings: object) -> Summary:
    return restore_files([str(path) for path in inputs], output, Brightener(), **settings)


def test_results_lie_beside_their_inputs_and_are_never_inputs(photos):
    before = names(photos)
    first = restore(photos)
    results = ["2020/b_lumiface.webp", "2020/summer/c_lumiface.TIF", "a_lumiface.jpg", "a_lumiface.png"]
    assert sorted(set(names(photos)) - set(before)) == results
    assert (len(first.restored), first.failed, first.exit_code) == (4, [], 0)
    assert first.faces == {"restored": 4, "relit": 4}
    assert first.notes == {"a note": 4}
    result = read_picture(photos / "a_lumiface.png").rgb
    assert result.shape == (1, 3, 20, 24)
    torch.testing.assert_close(result, torch.full_like(result, 120 / 255))

    again = restore(photos, *(photos / name for name in results))
    assert names(photos) == sorted(before + results)
    assert not again.restored
    assert sorted(again.skipped.values()) == ["already there"] * 4 + ["made by lumiface"] * 4
    assert again.exit_code == 0


def test_only_what_changed_is_made_again(photos):
    restore(photos)
    os.utime(photos / "a.jpg", (4e9, 4e9))
    assert restore(photos).restored == [photos / "a_lumiface.jpg"]
    assert len(restore(photos, overwrite=True).restored) == 4


def test_an_output_folder_keeps_names_and_tree(photos, tmp_path):
    out = tmp_path / "out"
    restore(photos, output=out)
    assert names(out) == ["2020/b.webp", "2020/summer/c.TIF", "a.jpg", "a.png"]
    restore(photos / "a.jpg", output=tmp_path / "flat")
    assert names(tmp_path / "flat") == ["a.jpg"]


def test_several_input_folders_keep_their_own_names(tmp_path):
    write(tmp_path / "2019" / "x.png")
    write(tmp_path / "2020" / "x.png")
    restore(tmp_path / "2019", tmp_path / "2020", output=tmp_path / "out")
    assert names(tmp_path / "out") == ["2019/x.png", "2020/x.png"]


def test_an_output_folder_inside_the_input_folder_is_not_searched(photos):
    restore(photos, output=photos / "bright")
    again = restore(photos, output=photos / "bright", overwrite=True)
    assert names(photos / "bright") == ["2020/b.webp", "2020/summer/c.TIF", "a.jpg", "a.png"]
    assert len(again.restored) == 4
    # Where the output is around the input, the input is still the input.
    assert len(restore(photos / "2020", output=photos).restored) == 2


def test_one_file_may_be_given_its_results_name(photos, tmp_path):
    restore(photos / "a.jpg", output=tmp_path / "new" / "bright.png")
    assert names(tmp_path / "new") == ["bright.png"]
    with pytest.raises(SettingError, match="several inputs; name an output folder"):
        restore(photos, output=tmp_path / "bright.png")


def test_globs_and_names_with_brackets(photos):
    write(photos / "x[1].png")
    jobs = plan_jobs([str(photos / "*.jpg"), str(photos / "x[1].png"), str(photos / "**/*.webp")])
    assert [job.source.name for job in jobs.todo] == ["a.jpg", "x[1].png", "b.webp"]
    assert plan_jobs([str(photos / "*.gif")]).failures == [
        f"{photos}/*.gif: there is no such file or folder; check the name"
    ]


def test_what_is_named_twice_is_restored_once(photos):
    assert (
        len(plan_jobs([str(photos), str(photos / "a.jpg"), str(photos / "2020" / ".." / "a.jpg")]).todo) == 4
    )


def test_two_inputs_that_would_share_a_result(tmp_path):
    inputs = [str(write(tmp_path / folder / "x.png")) for folder in "ab"]
    jobs = plan_jobs(inputs, tmp_path / "out")
    assert len(jobs.todo) == 1
    assert inputs[1] in jobs.failures[0]
    assert inputs[0] in jobs.failures[0]


def test_no_input_is_ever_overwritten(photos):
    with pytest.raises(SettingError, match="overwrite"):
        restore(photos, output=photos)
    with pytest.raises(SettingError, match="overwrite"):
        restore(photos, suffix="")


def test_failures_are_listed_and_the_others_done(photos, tmp_path):
    (photos / "cut.jpg").write_bytes((photos / "a.jpg").read_bytes()[:200])
    (photos / "text.png").write_text("hello")
    (photos / "empty.jpg").touch()
    (tmp_path / "bare").mkdir()
    summary = restore(photos, photos / "notes.txt", tmp_path / "bare", tmp_path / "gone.jpg")
    assert len(summary.restored) == 4
    assert summary.exit_code == 1
    for line in summary.failed:
        assert "\n" not in line
    for name in ("cut.jpg", "text.png", "empty.jpg", "notes.txt", "bare", "gone.jpg"):
        assert sum(name in line for line in summary.failed) == 1
    assert len(summary.failed) == 6


def test_a_result_that_cannot_be_written_is_a_failure_and_a_folder_that_cannot_be_made_ends_it(photos):
    (photos / "out").mkdir()
    (photos / "out" / "2020").write_text("a file where a folder should go")
    summary = restore(photos, output=photos / "out")
    assert len(summary.restored) == 2
    assert len(summary.failed) == 2
    assert all("cannot be written" in line for line in summary.failed)
    with pytest.raises(OutputError, match="cannot be created"):
        restore(photos, output=photos / "notes.txt" / "out")


@pytest.mark.parametrize(
    ("fault", "line", "faults"),
    [
        (ValueError("odd\nshape"), "unexpected ValueError: odd shape; this is a bug in lumiface", 1),
        (MemoryError(), "not enough memory", 0),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"), "not enough memory", 0),
    ],
)
def test_a_fault_in_one_picture_does_not_stop_the_others(photos, fault, line, faults):
    summary = restore_files([str(photos)], None, Brightener(fault))
    assert len(summary.restored) == 3
    assert line in summary.failed[0]
    assert len(summary.faults) == faults


def test_boxes_belong_to_one_picture(photos):
    restorer = Brightener()
    restore_files([str(photos / "a.jpg")], None, restorer, boxes=[(1, 2, 3, 4)])
    assert restorer.boxes == ((1, 2, 3, 4),)
    with pytest.raises(SettingError, match="boxes belong to one picture"):
        restore(photos, boxes=[(1, 2, 3, 4)])


def test_the_size_limit_and_the_progress_reach_their_places(photos):
    calls = []
    summary = restore(photos, max_megapixels=1e-5, progress=lambda *args: calls.append(args))
    assert len(summary.failed) == 4
    assert [done for done, _, _ in calls] == [1, 2, 3, 4]
    assert {total for _, total, _ in calls} == {4}


def test_with_the_networks_that_ship(astronaut_uint8, tmp_path):
    if not list_models():
        pytest.skip("no weights ship yet")
    dark = (60.0 * (astronaut_uint8 / 255.0) ** 2).astype(np.uint8)[::3, ::3]
    Image.fromarray(dark).save(tmp_path / "dark.png")
    summary = restore_files([str(tmp_path / "dark.png")], None, Restorer())
    assert summary.failed == []
    assert summary.faces.total() == 1
    result = read_picture(tmp_path / "dark_lumiface.png").rgb
    assert result.shape[-1] == 4 * dark.shape[1]
    assert float(result.mean()) > 3 * dark.mean() / 255

"""Pictures in buckets: planned by name, fetched, restored, sent back whole; faults have their line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inverter import Inverter
from lumiface.core.errors import SettingError
from lumiface.imaging.io import read_picture
from lumiface.restoration.cluster.buckets import Url, plan_urls, restore_url
from lumiface.restoration.files.jobs import Job
from lumiface.restoration.one_file import FileOptions

pytest.importorskip("fsspec")


def save(path: Path, level: int = 60) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((9, 12, 3), level, np.uint8)).save(
        path, "PNG" if path.suffix == ".jfif" else None
    )
    return path


@pytest.fixture
def bucket(tmp_path: Path) -> str:
    for name in ("a.png", "sub/b.jpg", "sub/c.jfif", "old_lumiface.png"):
        save(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    return f"file://{tmp_path}/in"


def test_a_url_has_the_names_of_a_path() -> None:
    url = Url("s3://bucket/sub/a.jpg")
    assert (str(url), url.name, url.stem, url.suffix) == ("s3://bucket/sub/a.jpg", "a.jpg", "a", ".jpg")
    assert str(url.with_name("b.png")) == "s3://bucket/sub/b.png"
    assert f"{url}: no" == "s3://bucket/sub/a.jpg: no"


def test_the_tree_is_kept_and_what_is_no_picture_left_out(bucket: str, tmp_path: Path) -> None:
    jobs = plan_urls([bucket], f"file://{tmp_path}/out")
    assert {str(job.source).removeprefix(bucket): str(job.target) for job in jobs.todo} == {
        "/a.png": f"file://{tmp_path}/out/a.png",
        "/sub/b.jpg": f"file://{tmp_path}/out/sub/b.jpg",
        "/sub/c.jfif": f"file://{tmp_path}/out/sub/c.jfif",
    }
    assert [path.name for path in jobs.previous_results] == ["old_lumiface.png"]
    assert (
        "no picture there" in plan_urls([f"file://{tmp_path}/absent"], f"file://{tmp_path}/out").failures[0]
    )
    with pytest.raises(SettingError, match="cannot be opened"):
        plan_urls(["nosuch://bucket/a.png"], "nosuch://bucket/out")
    with pytest.raises(SettingError, match="overwrite its own input"):
        plan_urls([f"{bucket}/a.png"], bucket)


def test_results_are_sent_and_not_twice(bucket: str, tmp_path: Path) -> None:
    jobs = plan_urls([bucket], f"file://{tmp_path}/out")
    outcomes = [restore_url(job, Inverter(), FileOptions()) for job in jobs.todo]
    assert [outcome.failed for outcome in outcomes] == [[], [], []]
    assert [outcome.written for outcome in outcomes] == [job.target for job in jobs.todo]
    assert float(read_picture(tmp_path / "out" / "a.png").rgb.mean()) == pytest.approx(195 / 255)
    again = [restore_url(job, Inverter(), FileOptions()) for job in jobs.todo]
    assert {outcome.skipped for outcome in again} == {"already there"}
    assert restore_url(jobs.todo[0], Inverter(), FileOptions(overwrite=True)).written is not None
    assert sorted(path.name for path in (tmp_path / "out").rglob("*") if path.is_file()) == [
        "a.png",
        "b.jpg",
        "c.jfif",
    ]


def test_faults_name_the_url(bucket: str, tmp_path: Path) -> None:
    save(tmp_path / "in" / "bug.png", 255)
    (tmp_path / "in" / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    out = f"file://{tmp_path}/out"
    for name, words in (("cut.png", "cannot"), ("bug.png", "bug in lumiface"), ("gone.png", "gone.png")):
        outcome = restore_url(
            Job(Url(f"{bucket}/{name}"), Url(f"{out}/{name}"), True), Inverter(), FileOptions()
        )
        (line,) = outcome.failed
        assert line.startswith(f"{bucket}/{name}")
        assert words in line
        assert "/tmp/lumiface-" not in line
        assert outcome.written is None

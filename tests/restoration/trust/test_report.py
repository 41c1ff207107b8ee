"""`--report`: a self-contained page and JSON, for files and folders."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from helpers import rand
from lumiface.cli import app
from lumiface.core.errors import SettingError
from lumiface.faces.measure import FaceMeasures
from lumiface.imaging.io import Picture
from lumiface.restoration.batch import Summary, run_jobs
from lumiface.restoration.files.jobs import plan_jobs
from lumiface.restoration.one_file import Box
from lumiface.restoration.report import page as page_module
from lumiface.restoration.report.report import TrustReport
from lumiface.restoration.restored import FaceReport, Restored
from lumiface.restoration.trust import Trust

MEASURES = FaceMeasures(side=40.0, light=0.1, detail=38.0)
TRUSTS = (
    Trust(
        0.83, 0.5, 41.0, 0.2 * rand(1, 1, 16, 16), before=0.1 * rand(1, 3, 20, 20), after=rand(1, 3, 32, 32)
    ),
    Trust(None, 0.5, before=rand(1, 3, 20, 20), after=rand(1, 3, 32, 32)),
    None,
)


class Measured:
    """Leaves the picture, and reports three faces."""

    def __call__(
        self, picture: Picture, boxes: Sequence[Box] = (), scale: int | None = None
    ) -> Restored[Picture]:
        faces = [FaceReport((1, 2, 8, 9), 0.9, MEASURES, "restored", 0.0, trust=trust) for trust in TRUSTS]
        return Restored(picture, 1, "joint", faces, ["a <note>"])


def run(folder: Path, report: Path) -> Summary:
    (folder / "in").mkdir(exist_ok=True)
    for name in ("a<b>.png", "c.png"):
        Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(folder / "in" / name)
    (folder / "in" / "text.jpg").write_text("no picture")
    jobs = plan_jobs([str(folder / "in")], folder / "out")
    return run_jobs(jobs, Measured(), report=TrustReport(report), overwrite=True)


def test_the_page_needs_nothing_from_outside(tmp_path: Path) -> None:
    summary = run(tmp_path, tmp_path / "new" / "report.html")
    assert summary.sheets == [tmp_path / "new" / "report.html"]
    page = summary.sheets[0].read_text(encoding="utf-8")
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page)
    assert "://" not in page
    assert "<script" not in page
    assert "prefers-color-scheme: dark" in page
    assert "a&lt;b&gt;.png" in page
    assert "a &lt;note&gt;" in page
    assert page.count("<article>") == 6
    assert page.count("<figure>") == 2 * (4 + 2)  # with the map; a bright one without; none
    assert "cannot be told" in page
    assert "text.jpg" in page


def test_json_holds_the_figures_of_every_face(tmp_path: Path) -> None:
    summary = run(tmp_path, tmp_path / "report.json")
    read = json.loads(summary.sheets[0].read_text(encoding="utf-8"))
    assert [entry["photograph"] for entry in read["photographs"]] == ["a<b>.png", "c.png"]
    first, second, third = read["photographs"][0]["faces"]
    assert first["identity"] == 0.83
    assert first["consistency_db"] == 41.0
    assert first["sentence_zh"]
    assert second["identity"] is None
    assert third["treatment"] == "restored"
    assert any("text.jpg" in line for line in read["not_restored"])
    assert summary.trust.unknown == 2


def test_pages_of_many_faces_show_the_least_trustworthy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "MAX_SHOWN", 3)
    page = run(tmp_path, tmp_path / "r.html").sheets[0].read_text(encoding="utf-8")
    assert page.count("<article>") == 6
    assert page.count("<figure>") == 2 * 2
    assert "3 least trustworthy" in page


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"report\.pdf.*\.html"):
        TrustReport(tmp_path / "report.pdf")
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(tmp_path / "a.png")
    result = CliRunner().invoke(
        app, ["restore", str(tmp_path / "a.png"), "--report", str(tmp_path / "a.txt")]
    )
    assert result.exit_code == 2
    assert result.output.count("\n") == 1


def test_restore_writes_report_and_least_identity(tmp_path: Path, dark: tuple[torch.Tensor, ...]) -> None:
    picture = (dark[0][0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "dark.png")
    options = ["--scale", "1", "--device", "cpu", "--box", "40,8,34,40", "--report", str(tmp_path / "r.json")]
    result = CliRunner().invoke(app, ["restore", str(tmp_path / "dark.png"), *options])
    assert result.exit_code == 0, result.output
    assert "identity" in result.output
    (photograph,) = json.loads((tmp_path / "r.json").read_text())["photographs"]
    (face,) = photograph["faces"]
    assert face["identity"] is not None
    assert face["consistency_db"] > 20
    assert 0 < face["invention"] < 0.3

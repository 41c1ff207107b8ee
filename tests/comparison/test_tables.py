"""The comparison's tables: every score in its cell, ranks only where significant, missing values allowed."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from example_report import EVIL, Page, example_pictures, example_report, markdown_tables, written
from lumiface.comparison.html import write_report
from lumiface.comparison.html.views import PSNR, set_views
from lumiface.core.errors import OutputError


@pytest.fixture(scope="module")
def original() -> dict[str, Any]:
    return example_report()


@pytest.fixture
def report() -> dict[str, Any]:
    return example_report()


@pytest.fixture(scope="module")
def made(original: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return written(original, example_pictures(), tmp_path_factory.mktemp("report") / "new")


def test_bold_is_the_best_and_the_oracle_is_not(made: dict[str, str]) -> None:
    table = markdown_tables(made[".md"])[0]
    for heading in ("PSNR-Y dB ↑", "SSIM-Y ↑", "LPIPS ↓", "landmark px ↓"):
        column = table[0].index(heading)
        bold = [row[0] for row in table[1:] if row[column].startswith("**")]
        assert bold == ["Net"], heading
        assert float(re.sub(r"[^\d.].*", "", table[-1][column]))  # the oracle's score is shown nevertheless
    assert table[-1][0] == "oracle"


def test_differences_that_are_not_significant_are_marked(made: dict[str, str]) -> None:
    table = markdown_tables(made[".md"])[0]
    deltas = {row[0]: row[2] for row in table[1:]}
    evil = next(name for name in deltas if "alert" in name)
    assert deltas["Net"] == "best"
    assert re.fullmatch(r"≈ best \([+−]0\.\d\d \[−0\.\d\d, \+0\.\d\d\]\)", deltas[evil])
    assert re.fullmatch(r"−1\.\d\d \[−1\.\d\d, −1\.\d\d\]", deltas["slow †"])
    assert deltas["oracle"].startswith("+")
    ssim = {row[0]: row[3] for row in table[1:]}
    assert ssim[evil].startswith("≈ ")
    assert not ssim["slow †"].startswith("≈")
    assert "does not differ significantly from it" in made[".md"]


def test_markdown_escapes_names(made: dict[str, str]) -> None:
    markdown = pytest.importorskip("markdown_it", reason="comes with rich").MarkdownIt(
        "gfm-like", {"linkify": False}
    )
    page = Page(markdown.render(made[".md"]))
    assert EVIL in [row[0] for row in page.tables[0]["rows"]]
    assert page.count("script") == 0


def test_csv_has_every_score(made: dict[str, str], original: dict[str, Any]) -> None:
    lines = list(csv.DictReader(io.StringIO(made[".csv"])))
    assert len(lines) == len(original["rows"])
    for line, row in zip(lines, original["rows"], strict=True):
        assert (line["method"], line["set"]) == (row["method"], row["set"])
        for key in ("psnr_y", "ssim_y", "lpips_squeeze", "landmark_px", "gflops", "psnr_y_behind_best"):
            assert float(line[key]) == row[key]
        assert [float(line[f"psnr_y_ci_{end}"]) for end in ("low", "high")] == row["psnr_y_ci"]
        assert int(line["no_face_in_output"]) == row["no_face_in_output"]
        assert line["minutes"] == ("12.5" if row["stages"] else "")
    assert [line["psnr_y_standing"] for line in lines[:5]] == ["", "best", "close", "", ""]


def test_json_is_the_report_itself(report: dict[str, Any], tmp_path: Path) -> None:
    report["rows"][0]["psnr_y"] = math.inf
    report["per_image"]["test"]["Net"]["psnr_y"][3] = math.nan
    stored = json.loads(written(report, {}, tmp_path / "out")[".json"], parse_constant=pytest.fail)
    assert stored["rows"][0].pop("psnr_y") is None
    assert stored["per_image"]["test"]["Net"]["psnr_y"].pop(3) is None
    del report["rows"][0]["psnr_y"], report["per_image"]["test"]["Net"]["psnr_y"][3]
    assert stored == report


# --- missing values -----------------------------------------------------------------------------------------

Change = Callable[[dict[str, Any]], object]


def without(key: str) -> Change:
    return lambda report: [row.pop(key) for row in report["rows"]]


def none(key: str) -> Change:
    return lambda report: [row.update({key: None}) for row in report["rows"]]


CHANGES: dict[str, Change] = {
    **{f"no {key}": without(key) for key in ("lpips_squeeze", "gflops", "peak_mib", "psnr_y_ci", "stages")},
    **{f"{key} None": none(key) for key in ("lpips_squeeze", "landmark_px", "ssim_y", "psnr_y", "params")},
    "intervals None": none("psnr_y_behind_best_ci"),
    "differences None": none("psnr_y_behind_best"),
    "no scores per image": lambda report: report.pop("per_image"),
    "no scores per image of one set": lambda report: report["per_image"].pop("test"),
    "no scores per image of one method": lambda report: report["per_image"]["test"].pop("Net"),
    "LPIPS per image None": lambda report: report["per_image"]["test"]["Net"].update(lpips_squeeze=None),
    "other images": lambda report: report["per_image"]["test"]["Net"].update(names=["a"] * 80),
    "one γ": lambda report: [m.update(gamma=[2.0] * 80) for m in report["per_image"]["test"].values()],
    "one row": lambda report: report.update(rows=report["rows"][1:2]),
    "one reference": lambda report: report.update(rows=report["rows"][:1]),
    "only the oracle": lambda report: report.update(rows=report["rows"][4:5]),
    "no row": lambda report: report.update(rows=[]),
    "only rows": lambda report: [report.pop(key) for key in set(report) - {"rows"}],
    "no published table": lambda report: report.update(published=None),
    "an empty published table": lambda report: report.update(published={"columns": ["method"], "rows": []}),
    "equal methods": lambda report: [row.update(psnr_y=24.0) for row in report["rows"]],
    "equal costs": lambda report: [row.update(params=1000) for row in report["rows"]],
    "bare stages": lambda report: [row.update(stages=[{}]) for row in report["rows"]],
    "a long name": lambda report: [row.update(method="N" * 200 + row["method"]) for row in report["rows"]],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_missing_values_are_omitted(change: Change, report: dict[str, Any], tmp_path: Path) -> None:
    change(report)
    made = written(report, example_pictures(), tmp_path / "out")
    page = Page(made[".html"])
    sets = {row["set"] for row in report["rows"]}
    assert len([table for table in page.tables if "sortable" in table["class"]]) == len(sets)
    assert not re.search(r"\b(nan|inf|None)\b", " ".join(page.texts) + made[".csv"])
    for _, attributes in page.tags:
        for value in attributes.values():
            assert not re.search(r"\bnan\b", value or "")
    markdown_tables(made[".md"])


def test_only_measured_rows_can_be_best(report: dict[str, Any]) -> None:
    report["rows"][1]["psnr_y"] = None
    view = set_views(report, {})[0]
    assert view.best is not None
    assert view.best["method"] == EVIL
    assert view.rank(report["rows"][1], PSNR) == ""


def test_better_references_are_reported_but_not_ranked(report: dict[str, Any], tmp_path: Path) -> None:
    report["rows"][0].update(psnr_y=99.0, psnr_y_behind_best=-70.0, psnr_y_behind_best_ci=[-71.0, -69.0])
    view = set_views(report, {})[0]
    assert view.best is not None
    assert (view.best["method"], [row["method"] for row in view.better_references]) == ("Net", ["bicubic"])
    made = written(report, {}, tmp_path / "out")
    assert "The reference bicubic scored higher." in made[".md"]
    assert "+70.00 [+69.00, +71.00]" in made[".md"]


def test_published_weights_are_not_undertrained(report: dict[str, Any]) -> None:
    stages = [row["stages"] for row in report["rows"] if row["method"] == "Net"]
    for stage in (stage for row in stages for stage in row):
        stage["trained_images"] = 0
    view = set_views(report, {})[0]
    assert [row["method"] for row in view.rows if view.is_undertrained(row)] == ["slow"]


def test_an_unwritable_folder_is_an_error(report: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_report(report, {}, tmp_path / "file")

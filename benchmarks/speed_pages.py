"""Write the tables and the plot of `benchmarks/results/speed.json` into `docs/research/speed.md`.

python benchmarks/speed_pages.py            # rewrite the generated sections of the page, and draw the plot
python benchmarks/speed_pages.py --check    # write nothing; exit with 1 if the page is out of date
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pages import RESULTS, ROOT, replace_section, table, update_pages

PAGE = ROOT / "docs" / "research" / "speed.md"
PLOT = ROOT / "docs" / "images" / "speed-curves.png"
CLUSTER = {"1 process": "`--jobs 1`", "2 workers": "`--cluster local`, two workers"}
AXES = {"pixels": "megapixels (4 faces)", "faces": "faces (3 megapixels)", "files": "files (one face each)"}


def faces_table(section: dict[str, Any]) -> str:
    """A row per network: milliseconds by each runtime, and the best over GFPGAN's architecture."""
    rows = section["rows"]
    ways = list(dict.fromkeys(row["runtime"] for row in rows))
    by_method: dict[str, dict[str, float]] = {}
    for row in rows:
        by_method.setdefault(row["method"], {})[row["runtime"]] = row["ms"]
    reference = by_method["GFPGAN"]["eager"]
    lines = [
        [
            method,
            *(f"{found[way]:.0f}" if way in found else "" for way in ways),
            f"{found.get('eager', 0.0) / min(found.values()):.2f}",
            f"{reference / min(found.values()):.1f}",
        ]
        for method, found in by_method.items()
    ]
    return table(["network, ms per face", *ways, "best over eager", "best over GFPGAN"], lines)


def detection_table(section: dict[str, Any]) -> str:
    """A row per way of finding faces."""
    lines = [
        [
            row["way"],
            f"{row['cpu_s_per_mp']:.2f}",
            f"{row['times_faster']:.1f}",
            f"{row['found_again']} of {row['faces_before']}",
            " ".join(str(count) for count in row["dark_found"].values()),
            str(row["false_faces"]),
        ]
        for row in section["rows"]
    ]
    heads = ["detector", "CPU-s per megapixel", "times faster", "faces found", "in the dark, of 300", "false"]
    return table(heads, lines)


def loop_table(section: dict[str, Any]) -> str:
    """A row per way through one photograph."""
    lines = [[row["way"], f"{row['s']:.2f}", f"{row['cpu_s']:.2f}"] for row in section["rows"]]
    return table(["way", "s", "CPU-s"], lines)


def big_table(section: dict[str, Any]) -> str:
    """A row per size."""
    lines = [
        [
            str(row["megapixels"]),
            str(row["faces"]),
            f"{row['s']:.1f}",
            f"{row['cpu_s']:.1f}",
            str(row["peak_mib"]),
        ]
        for row in section["rows"]
    ]
    return table(["megapixels", "faces", "s", "CPU-s", "peak, MiB"], lines, text_columns=0)


def folder_table(jobs: dict[str, Any], cluster: dict[str, Any]) -> str:
    """A row per way through a folder."""
    lines = [
        [f"`--jobs {count}`", str(jobs["files"]), f"{rate:.2f}", jobs["origin"]["machine"]]
        for count, rate in jobs["files_per_s"].items()
    ]
    lines += [
        [CLUSTER[way], str(cluster["files"]), f"{rate:.2f}", cluster["origin"]["machine"]]
        for way, rate in cluster["files_per_s"].items()
    ]
    return table(["way", "files", "files per second", "machine"], lines)


def plot(section: dict[str, Any]) -> None:
    """CPU-seconds, seconds and memory over pixels, faces and files."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.4), layout="constrained")
    for axes, (curve, label) in zip(figure.subplots(1, 3), AXES.items(), strict=True):
        count = [row["count"] for row in section[curve]]
        axes.plot(count, [row["cpu_s"] for row in section[curve]], "o-", label="CPU-seconds")
        axes.plot(count, [row["s"] for row in section[curve]], "s--", label="seconds")
        axes.set(xlabel=label, xlim=0, ylim=0)
        memory = axes.twinx()
        memory.plot(
            count, [row["peak_mib"] / 1024 for row in section[curve]], "^:", color="grey", label="GiB"
        )
        memory.set_ylim(0, max(3.0, max(row["peak_mib"] for row in section[curve]) / 800))
        axes.grid(alpha=0.3)
        if curve == "pixels":
            lines = [*axes.get_lines(), *memory.get_lines()]
            axes.legend(lines, [line.get_label() for line in lines], frameon=False, loc="upper left")
        if curve == "files":
            memory.set_ylabel("peak of memory, GiB")
    figure.savefig(PLOT, dpi=110)


def measured_on(write: Callable[[dict[str, Any]], str], section: dict[str, Any]) -> str:
    """A table and its machine: only what one machine measured can be compared."""
    return f"{write(section)}\n\nMeasured on {section['origin']['machine']}."


def pages() -> dict[Path, str]:
    """The page with up-to-date tables."""
    found = json.loads((RESULTS / "speed.json").read_text(encoding="utf-8"))
    sections = {
        "faces-per-second": measured_on(faces_table, found["faces_per_s"]),
        "detection": measured_on(detection_table, found["detection"]),
        "loop": measured_on(loop_table, found["loop"]),
        "big": measured_on(big_table, found["strips"]),
        "folders": folder_table(found["jobs"], found["cluster"]),
    }
    text = PAGE.read_text(encoding="utf-8")
    for name, content in sections.items():
        text = replace_section(text, name, content)
    if "--check" not in sys.argv[1:]:
        plot(found["curves"])
    return {PAGE: text}


if __name__ == "__main__":
    update_pages(pages)

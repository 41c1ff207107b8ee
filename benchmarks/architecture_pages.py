"""Write the diagram of the layers into `docs/develop/architecture.md`, from pyproject.toml's import contract.

python benchmarks/architecture_pages.py            # rewrite the generated section of the page
python benchmarks/architecture_pages.py --check    # write nothing; exit with 1 if the page is out of date
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from pages import ROOT, replace_section, update_pages

PAGE = ROOT / "docs" / "develop" / "architecture.md"
WIDTH = 108

CONTENTS = {
    "cli": "command line",
    "comparison": "tables of methods at one training budget: plan, train, score, report",
    "training": "one loop; tasks/",
    "evaluation": "images to scores",
    "video": "faces followed, steady",
    "web": "page and server",
    "restoration": "inference: photographs in, restored photographs out",
    "runtimes": "networks at inference by other engines than torch: convert, check, measure, export",
    "registry": "the only door to networks: specs, building, checkpoints",
    "methods": "networks, recipes",
    "data": "training sets, benchmarks",
    "metrics": "one per file",
    "figures": "grids, console tables",
    "losses": "one per file",
    "degradations": "clean to degraded, seeded",
    "faces": "detect, align, measure, paste",
    "blocks": "shared layers",
    "geometry": "cameras, meshes, depth",
    "imaging": "files, colour, filters, denoising",
    "core": "errors, files, seeds, shapes, settings, assets, devices",
}


def layers() -> list[list[str]]:
    """The layers of the import contract, from the top down."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = pyproject["tool"]["importlinter"]["contracts"]
    (rooms,) = [contract["layers"] for contract in contracts if contract["id"] == "rooms"]
    return [[name.strip() for name in layer.replace(":", "|").split("|")] for layer in rooms]


def diagram(rows: list[list[str]]) -> str:
    """Boxes in rows of equal width; each box has a room's name and what it contains."""
    edges = [{round(i * WIDTH / len(row)) for i in range(len(row) + 1)} for row in rows]
    lines: list[str] = []
    for row, above, below in zip(rows, [set[int](), *edges], edges, strict=False):
        lines += [_rule(above, below), _cells(row, below), _cells([CONTENTS[name] for name in row], below)]
    return "\n".join([*lines, _rule(edges[-1], set())])


def _rule(above: set[int], below: set[int]) -> str:
    """The line between two rows of boxes whose vertical lines are at these positions."""
    return "".join("+" if x in above | below else "-" for x in range(WIDTH + 1))


def _cells(texts: list[str], edges: set[int]) -> str:
    ends = sorted(edges)
    cells = [
        "| " + text.ljust(end - start - 2)
        for text, start, end in zip(texts, ends[:-1], ends[1:], strict=True)
    ]
    line = "".join(cells) + "|"
    if len(line) != WIDTH + 1:
        raise ValueError(f"too long for its box: {texts}")
    return line


def pages() -> dict[Path, str]:
    """The page with an up-to-date diagram."""
    text = PAGE.read_text(encoding="utf-8")
    return {PAGE: replace_section(text, "layers", f"```text\n{diagram(layers())}\n```")}


if __name__ == "__main__":
    update_pages(pages)

"""Generated tables and diagrams of README, model cards and docs match their sources."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from lumiface.registry import find_weights

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\((?!https?:)([^)]+)\)")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "script",
    [
        "zoo_pages",
        "x4_pages",
        "table_pages",
        "paper_pages",
        "peer_pages",
        "fairness_pages",
        "architecture_pages",
        "speed_pages",
    ],
)
def test_pages_are_up_to_date(script: str) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / f"{script}.py"), "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"run benchmarks/{script}.py for:\n{result.stdout}{result.stderr}"


def test_scores_were_measured_on_the_shipped_weights() -> None:
    zoo = json.loads((ROOT / "benchmarks" / "results" / "zoo.json").read_text(encoding="utf-8"))
    assert {"before", "after", "large", "camera", "tones"} <= set(zoo)
    for section in set(zoo) - {"before"}:
        measured = zoo[section]["models"]
        assert {"lumiface-x4", "lumiface-x4-real", "lfsrnet-base", "lfsrnet-lite", "srcnn"} <= set(measured)
        for model, facts in measured.items():
            assert facts["sha256"] == sha256(find_weights(model).read_bytes()).hexdigest()


def test_links_resolve() -> None:
    pages = [*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md")]
    missing: list[str] = []
    for page in pages:
        prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in LINK.findall(prose):
            name, _, anchor = target.partition("#")
            file = page.parent / name if name else page
            if not file.exists() or (anchor and anchor not in anchors(file)):
                missing.append(f"{page.relative_to(ROOT)}: {target}")
    assert missing == []

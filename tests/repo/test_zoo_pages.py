"""The tables of cards and docs say what was measured."""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from lumiface.registry import find_weights

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("writer", ["zoo_pages", "x4_pages"])
def test_cards_and_pages_are_up_to_date(writer: str) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / f"{writer}.py"), "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"run benchmarks/{writer}.py for:\n{result.stdout}{result.stderr}"


def test_what_was_measured_is_what_ships() -> None:
    zoo = json.loads((ROOT / "benchmarks" / "results" / "zoo.json").read_text(encoding="utf-8"))
    assert {"before", "after", "large", "camera", "tones"} <= set(zoo)
    for section in set(zoo) - {"before"}:
        measured = zoo[section]["models"]
        assert {"lumiface-x4", "lumiface-x4-real", "lfsrnet-base", "lfsrnet-lite", "srcnn"} <= set(measured)
        for model, facts in measured.items():
            assert facts["sha256"] == sha256(find_weights(model).read_bytes()).hexdigest()

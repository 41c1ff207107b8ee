"""The metadata of a checkpoint: read from its file, and brought to today's fields where it is older."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from lumiface.core.errors import InputError

KEY = "lumiface"
"""Header key of the metadata, JSON, in a safetensors file."""


def read_metadata_file(path: Path) -> dict[str, Any]:
    """The metadata of one file; see `checkpoints.read_metadata`.

    Raises:
        InputError: it is damaged, or was not written by this project.
    """
    try:
        with safe_open(path, framework="pt") as file:
            facts = (file.metadata() or {}).get(KEY)
    except SafetensorError as error:
        raise InputError(f"{path}: damaged or not a safetensors file ({error}); get it again") from error
    if facts is None:
        raise InputError(
            f"{path}: a safetensors file, but not written by lumiface: its configuration is missing"
        )
    return _current_fields(json.loads(facts))


def _current_fields(facts: dict[str, Any]) -> dict[str, Any]:
    """Fields that a checkpoint of an earlier version lacks, from what it says instead."""
    provenance = dict(facts.get("provenance", {}))
    if "score" not in facts:
        best = next((key for key in provenance if key.startswith("best_")), "")
        value = provenance.pop(best, -math.inf)
        facts["score"] = (
            {"name": best.removeprefix("best_"), "value": value} if math.isfinite(value) else None
        )
    if "trained_on" not in facts:
        recipe = provenance.get("run", {}).get("recipe", {})
        facts["trained_on"] = "benchmark" if recipe.get("camera") is None else "camera"
    return facts | {"provenance": provenance, "sizes": facts.get("sizes")}

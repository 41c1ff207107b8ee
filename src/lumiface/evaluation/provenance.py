"""Where a table of scores comes from: the data's pixels, the tools, the code."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
from PIL import features

import lumiface


def pairs_hash(pairs: Iterable[str]) -> str:
    """SHA-256 of one line a pair, its name and the hashes of its pixels: equal where the data are."""
    return hashlib.sha256("\n".join(pairs).encode()).hexdigest()


def origin(device: torch.device, batch: int) -> dict[str, Any]:
    """What a stranger needs in order to get the same numbers, as plain values."""
    machine = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        "device": f"{device.type} ({machine})",
        "threads": torch.get_num_threads(),
        "batch": batch,
        "versions": {
            "lumiface": lumiface.__version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "pillow": PIL.__version__,
            "libjpeg_turbo": features.version("libjpeg_turbo") or "other",
            "python": platform.python_version(),
        },
        "commit": commit(),
    }


def data_name(source: str | Path | Sequence[str | Path]) -> str:
    """The sources' own names, without the folders that they happen to lie in."""
    given = [source] if isinstance(source, str | Path) else source
    return ", ".join(Path(path).name for path in given)


def commit() -> str | None:
    """The commit of the checkout that this code runs from, "+" where it was changed since; else None."""
    root = Path(lumiface.__file__).parents[2]
    if not (root / ".git").exists() or not (root / "src" / "lumiface").is_dir():
        return None
    try:
        head = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", "src")
    except (OSError, subprocess.CalledProcessError):  # no git on this machine, or no commit yet
        return None
    return head + ("+" if changed else "")


def _git(root: Path, *words: str) -> str:
    command = ["git", "-C", str(root), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

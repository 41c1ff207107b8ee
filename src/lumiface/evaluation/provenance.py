"""Provenance of scores: hashes of the data, versions of the tools, commit of the code, machine."""

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
from lumiface.core.device import machine_name


def pairs_hash(pairs: Iterable[str]) -> str:
    """SHA-256 over one line per pair, its name and the hashes of its pixels: equal for equal data."""
    return hashlib.sha256("\n".join(pairs).encode()).hexdigest()


def provenance(device: torch.device, batch: int) -> dict[str, Any]:
    """Device, versions and commit, which are needed to reproduce the scores, as plain values."""
    return {
        "device": f"{device.type} ({machine_name(device)})",
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
    """Names of the sources, without their parent folders."""
    paths = [source] if isinstance(source, str | Path) else source
    return ", ".join(Path(path).name for path in paths)


def commit() -> str | None:
    """Commit of the checkout that this code runs from, "+" if `src` has changes; None without a checkout."""
    root = Path(lumiface.__file__).parents[2]
    if not (root / ".git").exists() or not (root / "src" / "lumiface").is_dir():
        return None
    try:
        head = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", "src")
    except (OSError, subprocess.CalledProcessError):  # no git on this machine, or no commit yet
        return None
    return head + ("+" if changed else "")


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

"""Settings by size: the paper's is 512; 64 is what CPU cores can train in hours."""

from __future__ import annotations

from typing import Any

GENERATORS: dict[str, dict[str, Any]] = {
    "512": {},
    "256": {"resolution": 256},
    "128": {"resolution": 128, "base": 16384},
    "64": {"resolution": 64, "latent": 256, "mapping": 4, "base": 2048, "most": 256},
}

_ENCODERS: dict[str, dict[str, Any]] = {
    "512": {},
    "256": {"resolution": 256},
    "128": {"resolution": 128, "base": 4096},
    "64": {"resolution": 64, "base": 1024, "most": 128, "latent": 256},
}

RESTORERS: dict[str, dict[str, Any]] = {
    size: {"encoder": encoder, "generator": GENERATORS[size]} for size, encoder in _ENCODERS.items()
}

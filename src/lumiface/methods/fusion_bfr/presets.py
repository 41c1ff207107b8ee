"""Settings by resolution: the paper's is 512; 64 can be trained on a CPU within hours.

128 and 256 have fewer channels than StyleGAN2's own, which suits 10,000 training faces, and are small enough
to ship.
"""

from __future__ import annotations

from typing import Any

_NARROW: dict[str, Any] = {"latent": 256, "mapping": 4, "max_channels": 256}

GENERATORS: dict[str, dict[str, Any]] = {
    "512": {},
    "256": {"resolution": 256, "channel_base": 8192, **_NARROW},
    "128": {"resolution": 128, "channel_base": 8192, **_NARROW},
    "64": {"resolution": 64, "channel_base": 2048, **_NARROW},
}

_NARROW_ENCODER: dict[str, Any] = {"latent": 256, "max_channels": 128}

_ENCODERS: dict[str, dict[str, Any]] = {
    "512": {},
    "256": {"resolution": 256, "channel_base": 4096, **_NARROW_ENCODER},
    "128": {"resolution": 128, "channel_base": 4096, **_NARROW_ENCODER},
    "64": {"resolution": 64, "channel_base": 1024, **_NARROW_ENCODER},
}

RESTORERS: dict[str, dict[str, Any]] = {
    size: {"encoder": encoder, "generator": GENERATORS[size]} for size, encoder in _ENCODERS.items()
}

"""What leads the enhancer, drawn once for each face and kept: diffusion is too slow for every step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from platformdirs import user_cache_path
from safetensors.torch import load_file, save
from torch import Tensor

from lumiface.core.files import write_bytes
from lumiface.imaging.quantize import to_uint8

CHUNK = 100
"""Faces of one file in the cache: so many at most are drawn in vain when a run is killed."""


@dataclass(frozen=True, slots=True, eq=False)
class PriorGuidedBatch:
    """`dark` (B, 3, h, h), its `rendering` (B, 3, s, s) and `depth` (B, 1, s, s), and the `bright` truth like
    `dark` (of no pictures, where there is none); all in [0, 1]."""

    dark: Tensor
    rendering: Tensor
    depth: Tensor
    bright: Tensor


class PriorGuidedSet:
    """Dark faces with what leads them, as bytes on one device.

    Attributes:
        dark, bright: (N, 3, H, H) uint8; bright may be of no pictures.
        leads: (N, 4, s, s) uint8, rendering and depth.
    """

    def __init__(self, dark: Tensor, leads: Tensor, bright: Tensor) -> None:
        self.dark, self.leads, self.bright = dark, leads, bright

    def __len__(self) -> int:
        return len(self.dark)

    def whole(self, index: int) -> PriorGuidedBatch:
        """One face, uncut."""
        return self._batch([(index, 0, 0, False)], self.dark.shape[-1])

    def cut(self, count: int, side: int, rng: np.random.Generator) -> PriorGuidedBatch:
        """`count` faces, each cut to `side` pixels somewhere and mirrored every other time.

        Places are multiples of the leads' pixels, so that what leads is cut alike.
        """
        full = self.dark.shape[-1]
        grid = full // self.leads.shape[-1]
        places = (full - side) // grid + 1
        chosen = rng.choice(len(self), count, replace=count > len(self))
        cuts: list[tuple[int, int, int, bool]] = []
        for index in chosen.tolist():
            top, left = (rng.integers(places, size=2) * grid).tolist()
            cuts.append((index, top, left, bool(rng.random() < 0.5)))
        return self._batch(cuts, side)

    def _batch(self, cuts: Sequence[tuple[int, int, int, bool]], side: int) -> PriorGuidedBatch:
        grid = self.dark.shape[-1] // self.leads.shape[-1]

        def cut(shelf: Tensor, scale: int) -> Tensor:
            if not len(shelf):
                return torch.empty(0)
            rows: list[Tensor] = []
            for index, top, left, mirrored in cuts:
                up, across, size = top // scale, left // scale, side // scale
                piece = shelf[index, :, up : up + size, across : across + size]
                rows.append(piece.flip(-1) if mirrored else piece)
            return torch.stack(rows).float() / 255.0

        leads = cut(self.leads, grid)
        return PriorGuidedBatch(cut(self.dark, 1), leads[:, :3], leads[:, 3:], cut(self.bright, 1))


def predict_priors(network: Any, dark: Tensor, device: torch.device, tell: Callable[[str], None]) -> Tensor:
    """Rendering and depth of (N, 3, H, H) uint8 faces -> (N, 4, s, s) uint8 on the CPU.

    Kept in the user's cache under the digest of faces, prior and its settings, so that runs share them.

    Args:
        network: whose `lead` draws (`Prior3D`), on `device`; one without a prior gives nothing but zeros.
    """
    if network.prior is None:
        return torch.zeros(
            len(dark), 4, network.config.prior_size, network.config.prior_size, dtype=torch.uint8
        )
    sealed = seal(network)
    found: list[Tensor] = []
    for start in range(0, len(dark), CHUNK):
        chunk = dark[start : start + CHUNK]
        digest = hashlib.sha256(sealed + chunk.numpy().tobytes()).hexdigest()[:32]
        kept = user_cache_path("lumiface") / "leads" / f"{digest}.safetensors"
        if kept.is_file():
            found.append(load_file(kept)["leads"])
            continue
        found.append(torch.cat([_draw(network, face, device) for face in chunk]))
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(kept, save({"leads": found[-1]}))
        tell(f"3D priors drawn for {start + len(chunk)} of {len(dark)} faces")
    return torch.cat(found)


@torch.inference_mode()
def _draw(network: Any, face: Tensor, device: torch.device) -> Tensor:
    # One at a time: what is drawn must not hang on its neighbours by a last bit.
    lead = network.predict_prior(face[None].to(device).float() / 255.0)
    return to_uint8(torch.cat([lead.rendering, lead.depth], dim=1)).cpu()


def seal(network: Any) -> bytes:
    """A digest of the weights that draw, and of their settings."""
    digest = hashlib.sha256()
    settings = network.config.model_dump(mode="json", exclude={"enhancer"})
    digest.update(json.dumps(settings, sort_keys=True).encode())
    for name, value in sorted(network.prior.state_dict().items()):
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.digest()

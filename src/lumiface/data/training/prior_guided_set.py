"""Dark faces with their 3D priors: sampled once and cached, or anew for every step where there is time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lumiface.data.training.cache import cached_tensors
from lumiface.imaging.quantize import to_uint8

CHUNK = 100
"""Faces per cache file: the maximum number of priors lost when a run is killed."""


@dataclass(frozen=True, slots=True, eq=False)
class PriorGuidedBatch:
    """A batch; all values are in [0, 1].

    Attributes:
        dark: (B, 3, h, h), the network's input.
        rendering: (B, 3, s, s), of the prior.
        depth: (B, 1, s, s), of the prior.
        bright: like `dark`, the ground truth; an empty tensor for unpaired faces.
    """

    dark: Tensor
    rendering: Tensor
    depth: Tensor
    bright: Tensor


class PriorGuidedSet:
    """Dark faces with their priors, as bytes on one device.

    Attributes:
        dark, bright: (N, 3, H, H) uint8; `bright` is empty for unpaired faces.
        priors: (N, 4, s, s) uint8, rendering and depth.
    """

    def __init__(self, dark: Tensor, priors: Tensor, bright: Tensor) -> None:
        self.dark, self.priors, self.bright = dark, priors, bright

    def __len__(self) -> int:
        return len(self.dark)

    def full_image(self, index: int) -> PriorGuidedBatch:
        """One face, not cropped."""
        return self._batch([(index, 0, 0, False)], self.dark.shape[-1])

    def sample_crops(self, count: int, size: int, rng: np.random.Generator) -> PriorGuidedBatch:
        """`count` faces, each cropped to `size` pixels at random and mirrored with probability 1/2.

        Offsets are multiples of the priors' pixels, so that faces and priors are cropped alike.
        """
        return self.crops(rng.choice(len(self), count, replace=count > len(self)).tolist(), size, rng)

    def crops(self, chosen: Sequence[int], size: int, rng: np.random.Generator) -> PriorGuidedBatch:
        """The faces of these indices, cropped and mirrored as by `sample_crops`."""
        full = self.dark.shape[-1]
        grid = full // self.priors.shape[-1]
        offsets = (full - size) // grid + 1
        crops: list[tuple[int, int, int, bool]] = []
        for index in chosen:
            top, left = (rng.integers(offsets, size=2) * grid).tolist()
            crops.append((index, top, left, bool(rng.random() < 0.5)))
        return self._batch(crops, size)

    def _batch(self, crops: Sequence[tuple[int, int, int, bool]], size: int) -> PriorGuidedBatch:
        grid = self.dark.shape[-1] // self.priors.shape[-1]

        def crop(images: Tensor, scale: int) -> Tensor:
            if not len(images):
                return torch.empty(0)
            rows: list[Tensor] = []
            for index, top, left, mirrored in crops:
                y, x, side = top // scale, left // scale, size // scale
                piece = images[index, :, y : y + side, x : x + side]
                rows.append(piece.flip(-1) if mirrored else piece)
            return torch.stack(rows).float() / 255.0

        priors = crop(self.priors, grid)
        return PriorGuidedBatch(crop(self.dark, 1), priors[:, :3], priors[:, 3:], crop(self.bright, 1))


class FreshlyDarkenedSet:
    """Bright faces; each is made dark, and its prior sampled, in the very step that uses it.

    Args:
        network: a `Prior3D` on `device`, whose `predict_prior` is called.
        bright: (N, 3, H, H) uint8 on the CPU.
        darken: (B, 3, H, H) in [0, 1] and a generator on the CPU -> the same, dark.
    """

    def __init__(
        self,
        network: Any,
        bright: Tensor,
        darken: Callable[[Tensor, torch.Generator], Tensor],
        device: torch.device,
    ) -> None:
        self.network, self.bright, self.darken, self.device = network, bright, darken, device

    def __len__(self) -> int:
        return len(self.bright)

    def sample_crops(self, count: int, size: int, rng: np.random.Generator) -> PriorGuidedBatch:
        """As `PriorGuidedSet.sample_crops`; `rng` seeds the degradation, too."""
        chosen = rng.choice(len(self), count, replace=count > len(self))
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        bright = self.bright[torch.from_numpy(chosen)]
        dark = to_uint8(self.darken(bright.float() / 255.0, generator))
        priors = sample_priors(self.network, dark, self.device)
        faces = PriorGuidedSet(dark.to(self.device), priors.to(self.device), bright.to(self.device))
        return faces.crops(range(count), size, rng)


def sample_priors(network: Any, dark: Tensor, device: torch.device) -> Tensor:
    """Rendering and depth of (N, 3, H, H) uint8 faces -> (N, 4, s, s) uint8 on the CPU; not cached."""
    if network.prior is None:
        size = network.config.prior_size
        return torch.zeros(len(dark), 4, size, size, dtype=torch.uint8)
    return torch.cat([_predict(network, face, device) for face in dark])


def predict_priors(network: Any, dark: Tensor, device: torch.device, log: Callable[[str], None]) -> Tensor:
    """Rendering and depth of (N, 3, H, H) uint8 faces -> (N, 4, s, s) uint8 on the CPU.

    Cached under the digest of faces, prior and settings, so that runs share them.

    Args:
        network: a `Prior3D` on `device`, whose `predict_prior` is called; without a prior the result is 0.
        log: receives one line of text per chunk that was not in the cache.
    """
    if network.prior is None:
        return sample_priors(network, dark, device)
    weights = fingerprint(network)
    priors: list[Tensor] = []
    for start in range(0, len(dark), CHUNK):
        chunk = dark[start : start + CHUNK]

        def predict(chunk: Tensor = chunk, done: int = start + len(chunk)) -> dict[str, Tensor]:
            maps = sample_priors(network, chunk, device)
            log(f"3D priors sampled for {done} of {len(dark)} faces")
            return {"priors": maps}

        digest = hashlib.sha256(weights + chunk.numpy().tobytes()).hexdigest()[:32]
        priors.append(cached_tensors("priors", digest, predict)["priors"])
    return torch.cat(priors)


@torch.inference_mode()
def _predict(network: Any, face: Tensor, device: torch.device) -> Tensor:
    # One face at a time: in a batch the last bit would depend on the other faces.
    maps = network.predict_prior(face[None].to(device).float() / 255.0)
    return to_uint8(torch.cat([maps.rendering, maps.depth], dim=1)).cpu()


def fingerprint(network: Any) -> bytes:
    """A digest of the prior's weights and settings."""
    digest = hashlib.sha256()
    settings = network.config.model_dump(mode="json", exclude={"enhancer"})
    digest.update(json.dumps(settings, sort_keys=True).encode())
    for name, value in sorted(network.prior.state_dict().items()):
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.digest()

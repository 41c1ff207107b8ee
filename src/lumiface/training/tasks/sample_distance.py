"""How far the faces that a generator draws from nothing are from those that it learns from."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from lumiface.metrics.frechet import FrechetDistance, frechet_distance

BATCH = 25
"""Faces drawn at once."""


class SampleDistance:
    """The Fréchet distance of drawn to training faces, on SqueezeNet's features (`fd_squeezenet`).

    Always of the same drawn numbers and the same training faces: only for comparisons along one run.

    Args:
        faces: (N, 3, R, R) uint8, what the generator learns from, on its device.
        count: so many are drawn, and so many training faces compared with, N at most.
        seed: of what is drawn.
    """

    def __init__(self, faces: Tensor, count: int, seed: int) -> None:
        self.faces, self.count, self.seed = faces, count, seed
        self.distance = FrechetDistance("squeezenet").to(faces.device)
        self.real: Tensor | None = None

    @torch.inference_mode()
    def __call__(self, generator: Any, weights: dict[str, Tensor], shown: int) -> tuple[float, Tensor]:
        """The distance, and the first `shown` faces drawn with these weights, (shown, 3, R, R) in [0, 1]."""
        device = self.faces.device
        if self.real is None:
            chosen = torch.linspace(0, len(self.faces) - 1, min(self.count, len(self.faces))).long()
            parts = self.faces[chosen.to(device)].split(BATCH)
            self.real = torch.cat([self.distance.features(part.float() / 255.0) for part in parts])
        draw = torch.Generator().manual_seed(self.seed)
        features: list[Tensor] = []
        pictures: list[Tensor] = []
        for _ in range(0, max(self.count, shown), BATCH):
            z = torch.randn(BATCH, generator.config.latent, generator=draw).to(device)
            noise = [part.to(device) for part in generator.sample_noise(BATCH, draw)]
            drawn = functional_call(generator, weights, (z, noise)).float()
            made = (0.5 * (drawn + 1.0)).clamp(0.0, 1.0)
            features.append(self.distance.features(made))
            if len(pictures) * BATCH < shown:
                pictures.append(made.cpu())
        found = torch.cat(features)[: self.count]
        return float(frechet_distance(found.cpu(), self.real.cpu())), torch.cat(pictures)[:shown]

"""Fréchet distance between faces that a generator samples and the faces that it is trained on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from lumiface.metrics.frechet import FrechetDistance, frechet_distance

BATCH = 25
"""Faces sampled at once."""


class SampleDistance:
    """The Fréchet distance of sampled to training faces, on SqueezeNet's features (`fd_squeezenet`).

    Always with the same latents and the same training faces: only for comparisons along one run.

    Args:
        faces: (N, 3, R, R) uint8, the training faces, on their device.
        count: the number of faces sampled, and of training faces compared with, N at most.
        seed: of the latents.
    """

    def __init__(self, faces: Tensor, count: int, seed: int) -> None:
        self.faces, self.count, self.seed = faces, count, seed
        self.distance = FrechetDistance("squeezenet").to(faces.device)
        self.real: Tensor | None = None

    @torch.inference_mode()
    def __call__(self, generator: Any, weights: dict[str, Tensor], num_preview: int) -> tuple[float, Tensor]:
        """The distance, and the first faces sampled with these weights, (num_preview, 3, R, R) in [0, 1]."""
        device = self.faces.device
        if self.real is None:
            chosen = torch.linspace(0, len(self.faces) - 1, min(self.count, len(self.faces))).long()
            parts = self.faces[chosen.to(device)].split(BATCH)
            self.real = torch.cat([self.distance.features(part.float() / 255.0) for part in parts])
        random = torch.Generator().manual_seed(self.seed)
        features: list[Tensor] = []
        previews: list[Tensor] = []
        for _ in range(0, max(self.count, num_preview), BATCH):
            z = torch.randn(BATCH, generator.config.latent, generator=random).to(device)
            noise = [part.to(device) for part in generator.sample_noise(BATCH, random)]
            output = functional_call(generator, weights, (z, noise)).float()
            images = (0.5 * (output + 1.0)).clamp(0.0, 1.0)
            features.append(self.distance.features(images))
            if len(previews) * BATCH < num_preview:
                previews.append(images.cpu())
        fake = torch.cat(features)[: self.count]
        return float(frechet_distance(fake.cpu(), self.real.cpu())), torch.cat(previews)[:num_preview]

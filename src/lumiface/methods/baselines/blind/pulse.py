"""PULSE: of all faces that a generator can make, one that looks like the degraded face when it is reduced.

Menon, Damian, Hu, Ravi, Rudin: "PULSE: Self-Supervised Photo Upsampling via Latent Space Exploration of
Generative Models" (CVPR 2020), §3-4. Nothing is trained: each face is a search of its own.

Exact: one latent per layer, on the sphere of radius √d (the mapping network divides each by its length); mean
squared difference after reduction; the sum of squared angles between the latents of the layers; Adam.
Deviations: our generator of 64 px, which was trained on 10,000 faces, instead of StyleGAN at 1024; latents
before the mapping network instead of a normal distribution fitted behind it; no noise is searched; one start
for all faces. The paper's input is a small picture; ours is damaged in other ways, too, and is compared with
the face at 16 px, below the damage.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from lumiface.blocks.sizes import resize_bilinear
from lumiface.core.settings import Settings


class PULSEConfig(Settings):
    """The settings of the search."""

    generator: str = Field(
        default="stylegan2-64", description="generator that is searched: a component's name or its file"
    )
    steps: int = Field(default=100, ge=1, description="steps of Adam per face (paper 100)")
    lr: float = Field(default=0.1, gt=0, description="its learning rate (paper 0.4)")
    side: int = Field(default=16, ge=4, description="size at which faces are compared, pixels (paper 32)")
    spread: float = Field(
        default=0.0005,
        ge=0,
        description="weight of the mean squared angle between the layers' latents",
    )
    seed: int = Field(default=0, ge=0, description="seed of the latent from which each search starts")
    scale: Literal[1] = Field(default=1, description="the image keeps its size")


class PULSE(nn.Module):
    """The search; its network is the generator, whose weights are never changed.

    Faces of another size are resized to the generator's resolution, and back.

    Args:
        config: settings of the search.
        generator: a trained one; it has `mapping`, `synthesise`, `zero_noise` and its `config`.

    Shape: (B, 3, H, W) in [0, 1], any size -> (B, 3, H, W) in [0, 1]; one face after another.
    """

    def __init__(self, config: PULSEConfig, generator: nn.Module) -> None:
        super().__init__()
        self.config = config
        self.generator: Any = generator.requires_grad_(requires_grad=False)

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        resolution: int = self.generator.config.resolution
        # Gradients are needed in whatever mode the caller is in, and a copy of what was made in that mode.
        with torch.inference_mode(mode=False), torch.enable_grad():
            faces = resize_bilinear(image.detach().clone(), (resolution, resolution))
            found = torch.cat([self.search(face[None]) for face in faces])
        return resize_bilinear(found, (height, width)).clamp(0.0, 1.0)

    def search(self, face: Tensor) -> Tensor:
        """The best generated face of all steps, (1, 3, R, R) in about [0, 1], for (1, 3, R, R) in [0, 1]."""
        settings = self.config
        small = (settings.side, settings.side)
        wanted = resize_bilinear(face, small)
        generator = torch.Generator().manual_seed(settings.seed)
        start = torch.randn(1, self.generator.config.latent, generator=generator).to(face)
        latents = start.repeat(self.generator.config.num_latents, 1).requires_grad_()
        optimizer = torch.optim.Adam([latents], settings.lr)
        best, best_loss = face, math.inf
        for _ in range(settings.steps):
            output = self.generate(latents)
            loss = (resize_bilinear(output, small) - wanted).square().mean()
            loss = loss + settings.spread * mean_squared_angle(latents)
            if (value := float(loss.detach())) < best_loss:
                best, best_loss = output.detach(), value
            optimizer.zero_grad()
            loss.backward(inputs=[latents])
            optimizer.step()
        return best

    def generate(self, latents: Tensor) -> Tensor:
        """One z per layer (n, latent) -> a face (1, 3, R, R) in about [0, 1]."""
        mapped = self.generator.mapping(latents)[None]
        return 0.5 * (self.generator.synthesise(mapped, self.generator.zero_noise()) + 1.0)


def mean_squared_angle(latents: Tensor) -> Tensor:
    """Mean over all pairs of the squared angle between two of (n, latent), radians (§4.1, cross-geodesics).

    It is 0 with a gradient of 0 where all are equal.
    """
    directions = nn.functional.normalize(latents, dim=1)
    chords = (directions[:, None] - directions[None, :]).square().sum(dim=2)  # 4 sin²(angle / 2)
    angles = 2.0 * torch.asin((0.5 * (chords + 1e-12).sqrt()).clamp(max=1.0 - 1e-6))
    return angles.square().mean()

"""Synthetic faces sampled from a trained StyleGAN2, and interpolations between them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lumiface.core.errors import InputError, SettingError
from lumiface.core.seeds import seeded_generator
from lumiface.registry import find_weights, load_model, shipped_components

BATCH = 16

LATENTS, NOISE = 0, 1
"""Random streams of one seed: a face's latent and the noise inputs are sampled independently."""


class FaceGenerator:
    """A trained StyleGAN2 whose faces are identified by their seeds: the same seed gives the same face.

    Args:
        model: name of a shipped generator, or a file written by `lumiface train`, or an official StyleGAN2.
        truncation: truncation ψ of the latents, 0 to 1: 1 samples the full distribution; smaller values are
            less varied, with fewer artefacts; 0 gives the mean face.

    Raises:
        InputError: there is no such generator, or the file holds something else.
        SettingError: the truncation is not in [0, 1].
    """

    def __init__(self, model: str, truncation: float = 0.7, device: torch.device | str = "cpu") -> None:
        if not 0.0 <= truncation <= 1.0:
            raise SettingError(
                f"truncation {truncation}: must be from 0 (the mean face) to 1 (no truncation)"
            )
        if not find_weights(model).is_file():
            shipped = (
                ", ".join(name for name in shipped_components() if name.startswith("stylegan2")) or "none"
            )
            raise InputError(f"{model}: no such generator; give a file, or a shipped one: {shipped}")
        self.network: Any = load_model(model, device, kind="stylegan2")
        self.truncation, self.device = truncation, torch.device(device)

    @property
    def resolution(self) -> int:
        """Side of the faces, pixels."""
        return self.network.config.resolution

    @torch.inference_mode()
    def latents(self, seeds: list[int]) -> Tensor:
        """Truncated W+ latents (N, layers, latent) of the faces of these seeds."""
        latent = self.network.config.latent
        z = torch.cat([torch.randn(1, latent, generator=seeded_generator(seed, LATENTS)) for seed in seeds])
        w_plus = self.network.broadcast_latent(self.network.mapping(z.to(self.device)))
        return self.network.truncate(w_plus, self.truncation)

    @torch.inference_mode()
    def synthesise(self, latents: Tensor, noise_seed: int = 0) -> Tensor:
        """W+ latents -> faces (N, 3, R, R) in [0, 1]; all share the noise inputs of `noise_seed`."""
        noise = [
            level.to(self.device)
            for level in self.network.sample_noise(1, seeded_generator(noise_seed, NOISE))
        ]
        images = [self.network.synthesise(chunk, noise) for chunk in latents.split(BATCH)]
        return (0.5 * (torch.cat(images) + 1.0)).clamp(0.0, 1.0)

    def faces(self, count: int, seed: int = 0) -> Tensor:
        """`count` faces with the seeds `seed`, `seed` + 1, ...: (count, 3, R, R)."""
        return self.synthesise(self.latents(list(range(seed, seed + count))), seed)

    def interpolate(self, rows: int, steps: int, seed: int = 0) -> Tensor:
        """`rows` linear interpolations in W+ between two faces, of `steps` images: (rows·steps, 3, R, R)."""
        ends = self.latents(list(range(seed, seed + 2 * rows)))
        weight = torch.linspace(0.0, 1.0, steps, device=self.device)[None, :, None, None]
        paths = ends[0::2, None].lerp(ends[1::2, None], weight)
        return self.synthesise(paths.flatten(0, 1), seed)

"""Faces of nobody: what a generator draws from nothing, and the ways between two of its faces."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lumiface.core.errors import InputError, SettingError
from lumiface.core.seeds import seeded_generator
from lumiface.registry import find_weights, load_component, shipped_components

BATCH = 16

CODES, NOISE = 0, 1
"""What numbers are drawn for, each apart from the other."""


class FaceGenerator:
    """A trained generator that draws faces by number: the same number, the same face.

    Args:
        model: a name of what ships, or a file that `lumiface train` wrote.
        truncation: 1: faces as varied as the generator knows; less: nearer to its mean face, and cleaner;
            0: the mean face.

    Raises:
        InputError: there is no such generator, or the file holds something else.
        SettingError: the truncation is not in [0, 1].
    """

    def __init__(self, model: str, truncation: float = 0.7, device: torch.device | str = "cpu") -> None:
        if not 0.0 <= truncation <= 1.0:
            raise SettingError(f"truncation {truncation}: choose from 0 (the mean face) to 1 (all there is)")
        if not find_weights(model).is_file():
            ships = ", ".join(name for name in shipped_components() if name.startswith("stylegan2")) or "none"
            raise InputError(f"{model}: no such generator; name a file of one, or what ships: {ships}")
        self.network: Any = load_component(model, "stylegan2", device)
        self.truncation, self.device = truncation, torch.device(device)

    @property
    def side(self) -> int:
        """Pixels."""
        return self.network.config.resolution

    @torch.inference_mode()
    def codes(self, numbers: list[int]) -> Tensor:
        """W+ (N, codes, latent), truncated, of the faces of these numbers."""
        latent = self.network.config.latent
        z = torch.cat(
            [torch.randn(1, latent, generator=seeded_generator(number, CODES)) for number in numbers]
        )
        spread = self.network.broadcast_latent(self.network.mapping(z.to(self.device)))
        return self.network.truncate(spread, self.truncation)

    @torch.inference_mode()
    def draw(self, codes: Tensor, noise: int = 0) -> Tensor:
        """W+ -> faces (N, 3, R, R) in [0, 1]; all with the noise of that number."""
        grain = [
            part.to(self.device) for part in self.network.sample_noise(1, seeded_generator(noise, NOISE))
        ]
        drawn = [self.network.synthesise(part, grain) for part in codes.split(BATCH)]
        return (0.5 * (torch.cat(drawn) + 1.0)).clamp(0.0, 1.0)

    def faces(self, count: int, seed: int = 0) -> Tensor:
        """`count` faces, numbers `seed` and following."""
        return self.draw(self.codes(list(range(seed, seed + count))), seed)

    def interpolate(self, rows: int, steps: int, seed: int = 0) -> Tensor:
        """From one face to another along a straight line in W+, `rows` times: (rows·steps, 3, R, R)."""
        ends = self.codes(list(range(seed, seed + 2 * rows)))
        share = torch.linspace(0.0, 1.0, steps, device=self.device)[None, :, None, None]
        ways = ends[0::2, None].lerp(ends[1::2, None], share)
        return self.draw(ways.flatten(0, 1), seed)

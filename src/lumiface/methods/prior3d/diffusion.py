"""Noise added step by step, and taken away again (§2, equations 1-4).

x_t = √ᾱ_t x_0 + √(1-ᾱ_t) ε, and back from x_T ~ N(0, I) with a network's estimate of x_0, and so of ε: by
DDPM's random walk (equation 4), or by DDIM (Song, Meng, Ermon 2021), deterministic and in few steps.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor

Estimate = Callable[[Tensor, Tensor], Tensor]
"""x_t (B, C, H, W) and t (B,) -> the x_0 that it was."""


class NoiseSchedule:
    r"""β_t for t = 1..T along a cosine, :math:`\bar\alpha_t = \cos^2(\frac{t/T + s}{1 + s} \frac\pi2)`.

    Nichol and Dhariwal 2021, "Improved Denoising Diffusion Probabilistic Models", equation 17, s = 0.008.
    NOTE(paper): the paper names neither the schedule nor T; it cites this work for equation 2.

    Attributes:
        beta, alpha, alpha_bar: (T,) float64; index 0 belongs to t = 1.
    """

    def __init__(self, steps: int = 1000) -> None:
        place = torch.arange(steps + 1, dtype=torch.float64) / steps
        bar = torch.cos((place + 0.008) / 1.008 * math.pi / 2.0).square()
        self.beta = (1.0 - bar[1:] / bar[:-1]).clamp(max=0.999)
        self.alpha = 1.0 - self.beta
        self.alpha_bar = torch.cumprod(self.alpha, dim=0)

    def __len__(self) -> int:
        return len(self.beta)

    def add_noise(self, clean: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """x_t from x_0 in one step (equation 2); `clean` and `noise` (B, C, H, W), `t` (B,) from 1 to T."""
        keep, add = self._parts(clean, t)
        return keep * clean + add * noise

    def ddpm(
        self, estimate: Estimate, start: Tensor, generator: torch.Generator, *, shared_noise: bool = False
    ) -> Tensor:
        """All T steps back from x_T (equation 4, the variance set to 1-α_t).

        Args:
            estimate: the network, conditioned.
            start: x_T (B, C, H, W).
            generator: draws the noise of each step, on its own device.
            shared_noise: the same noise for all of the batch, so that none depends on its neighbours.
        """
        x = start
        for t in range(len(self), 0, -1):
            alpha, bar = self.alpha[t - 1].item(), self.alpha_bar[t - 1].item()
            when = _times(x, t)
            epsilon = self.noise_from(x, estimate(x, when), when)
            x = (x - (1.0 - alpha) / math.sqrt(1.0 - bar) * epsilon) / math.sqrt(alpha)
            if t > 1:
                shape = x[:1].shape if shared_noise else x.shape
                fresh = torch.randn(shape, generator=generator, device=generator.device, dtype=x.dtype)
                x = x + math.sqrt(1.0 - alpha) * fresh.to(x.device)
        return x

    def ddim(self, estimate: Estimate, start: Tensor, steps: int, clip: float | None = None) -> Tensor:
        """Back from x_T in few steps without any randomness.

        Args:
            estimate: the network, conditioned.
            start: x_T (B, C, H, W).
            steps: how often the network is asked; spread evenly over t.
            clip: x_0's estimates are held within ±clip, where the first steps would exaggerate.

        Source:
            Song, Meng, Ermon 2021, "Denoising Diffusion Implicit Models", equation 12 with σ = 0.
        """
        x = start
        times = torch.linspace(len(self), 0, steps + 1).round().long().tolist()
        for t, after in itertools.pairwise(times):
            when = _times(x, t)
            clean = estimate(x, when)
            if clip is not None:
                clean = clean.clamp(-clip, clip)
            if after == 0:
                return clean
            x = self.add_noise(clean, self.noise_from(x, clean, when), _times(x, after))
        return x

    def noise_from(self, noisy: Tensor, clean: Tensor, t: Tensor) -> Tensor:
        """The noise in x_t, given x_0: equation 2 solved for ε."""
        keep, add = self._parts(noisy, t)
        return (noisy - keep * clean) / add

    def _parts(self, like: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """√ᾱ_t and √(1-ᾱ_t) as (B, 1, 1, 1)."""
        bar = self.alpha_bar.to(like.device)[t - 1][:, None, None, None]
        return bar.sqrt().to(like.dtype), (1.0 - bar).sqrt().to(like.dtype)


def _times(like: Tensor, t: int) -> Tensor:
    return torch.full((len(like),), t, dtype=torch.long, device=like.device)

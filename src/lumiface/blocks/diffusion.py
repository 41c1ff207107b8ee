"""Forward and reverse diffusion (prior3d, §2, equations 1-4).

x_t = √ᾱ_t x_0 + √(1-ᾱ_t) ε, and back from x_T ~ N(0, I) with a network's estimate of x_0 or of ε, either of
which gives the other: by DDPM's ancestral sampling (equation 4), or by DDIM (Song, Meng, Ermon 2021),
deterministic and in few steps.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Estimate = Callable[[Tensor, Tensor], Tensor]
"""x_t (B, C, H, W) and t (B,) -> estimate of x_0, or of the noise ε."""

Predicts = Literal["clean", "noise"]
"""What an `Estimate` returns: x_0 or ε."""


class NoiseSchedule:
    r"""β_t for t = 1..T, cosine schedule, :math:`\bar\alpha_t = \cos^2(\frac{t/T + s}{1 + s} \frac\pi2)`.

    Nichol and Dhariwal 2021, "Improved Denoising Diffusion Probabilistic Models", equation 17, s = 0.008.
    NOTE(paper): the paper specifies neither the schedule nor T; it cites this work for equation 2.

    Attributes:
        beta, alpha, alpha_bar: (T,) float64, on the CPU; index 0 is t = 1.
        copies: `alpha_bar` on the devices where it has been used.
    """

    def __init__(self, steps: int = 1000) -> None:
        fraction = torch.arange(steps + 1, dtype=torch.float64) / steps
        bar = torch.cos((fraction + 0.008) / 1.008 * math.pi / 2.0).square()
        self.beta = (1.0 - bar[1:] / bar[:-1]).clamp(max=0.999)
        self.alpha = 1.0 - self.beta
        self.alpha_bar = torch.cumprod(self.alpha, dim=0)
        self.copies: dict[torch.device, Tensor] = {}

    def __len__(self) -> int:
        return len(self.beta)

    def add_noise(self, clean: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """x_t from x_0 directly (equation 2); `clean` and `noise` (B, C, H, W), `t` (B,) from 1 to T."""
        signal, sigma = self._coefficients(clean, t)
        return signal * clean + sigma * noise

    def ddpm(
        self,
        estimate: Estimate,
        start: Tensor,
        generator: torch.Generator,
        *,
        predicts: Predicts = "clean",
        clip: float | None = None,
        shared_noise: bool = False,
    ) -> Tensor:
        """Sample in all T steps from x_T (equation 4, with variance 1-α_t).

        Args:
            estimate: the conditioned network.
            start: x_T (B, C, H, W).
            generator: source of the noise of each step, on its own device.
            predicts: what `estimate` returns. Equation 4 takes a predicted noise as it is.
            clip: the x_0 of each step is clamped to ±clip, as in the code of Ho et al. 2020; None: never.
            shared_noise: the same noise for the whole batch, so that no sample depends on the others.
        """
        x = start
        for t in range(len(self), 0, -1):
            alpha, bar = self.alpha[t - 1].item(), self.alpha_bar[t - 1].item()
            t_batch = _timesteps(x, t)
            epsilon = self._both(estimate(x, t_batch), x, t_batch, predicts, clip)[1]
            x = (x - (1.0 - alpha) / math.sqrt(1.0 - bar) * epsilon) / math.sqrt(alpha)
            if t > 1:
                shape = x[:1].shape if shared_noise else x.shape
                noise = torch.randn(shape, generator=generator, device=generator.device, dtype=x.dtype)
                x = x + math.sqrt(1.0 - alpha) * noise.to(x.device)
        return x

    def ddim(
        self,
        estimate: Estimate,
        start: Tensor,
        steps: int,
        clip: float | None = None,
        *,
        first: int | None = None,
        predicts: Predicts = "clean",
    ) -> Tensor:
        """Sample in few steps from x_T, deterministically.

        Args:
            estimate: the conditioned network.
            start: x_T (B, C, H, W), or x_first.
            steps: number of network evaluations, evenly spaced in t.
            clip: estimates of x_0 are clamped to ±clip, since those of the first steps may be too large.
            first: the t of `start`, where it is not T.
            predicts: what `estimate` returns.

        Source:
            Song, Meng, Ermon 2021, "Denoising Diffusion Implicit Models", equation 12 with σ = 0.
        """
        x = start
        timesteps = torch.linspace(first or len(self), 0, steps + 1).round().long().tolist()
        for t, next_t in itertools.pairwise(timesteps):
            t_batch = _timesteps(x, t)
            clean, noise = self._both(estimate(x, t_batch), x, t_batch, predicts, clip)
            if next_t == 0:
                return clean
            x = self.add_noise(clean, noise, _timesteps(x, next_t))
        return x

    def noise_from(self, noisy: Tensor, clean: Tensor, t: Tensor) -> Tensor:
        """The noise in x_t, given x_0: equation 2 solved for ε."""
        signal, sigma = self._coefficients(noisy, t)
        return (noisy - signal * clean) / sigma

    def clean_from(self, noisy: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """The x_0 in x_t, given the noise: equation 2 solved for x_0; near T errors of ε grow large."""
        signal, sigma = self._coefficients(noisy, t)
        return (noisy - sigma * noise) / signal

    def _both(
        self, estimate: Tensor, noisy: Tensor, t: Tensor, predicts: Predicts, clip: float | None
    ) -> tuple[Tensor, Tensor]:
        """Estimates of x_0 and of ε from one of them, consistent with x_t after clamping."""
        clean = estimate if predicts == "clean" else self.clean_from(noisy, estimate, t)
        if predicts == "noise" and clip is None:
            return clean, estimate
        if clip is not None:
            clean = clean.clamp(-clip, clip)
        return clean, self.noise_from(noisy, clean, t)

    def _coefficients(self, like: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """√ᾱ_t and √(1-ᾱ_t) as (B, 1, 1, 1)."""
        # Copied to each device once: a copy at every step would make the host wait for the device.
        if like.device not in self.copies:
            with torch.inference_mode(False):  # a copy made in validation is used in training, too
                self.copies[like.device] = self.alpha_bar.to(like.device)
        bar = self.copies[like.device][t - 1][:, None, None, None]
        return bar.sqrt().to(like.dtype), (1.0 - bar).sqrt().to(like.dtype)


def _timesteps(like: Tensor, t: int) -> Tensor:
    return torch.full((len(like),), t, dtype=torch.long, device=like.device)

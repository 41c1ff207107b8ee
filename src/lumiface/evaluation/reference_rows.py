"""Reference rows: what needs no training, from the untouched input to the true degradation inverted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from lumiface.degradations.lowlight import DarkeningBatch, expand_bchw, invert_darkening
from lumiface.degradations.resample import resize
from lumiface.evaluation.protocols import BenchmarkName
from lumiface.imaging.mean_gamma import mean_gamma

Parameters = Sequence[Mapping[str, float | int]]
"""Of each picture's degradation."""

Reference = Callable[[Tensor, Parameters, tuple[int, int]], Tensor]
"""Input (B, 3, h, w), parameters of the degradation, (H, W) -> (B, 3, H, W), not clipped."""

ORACLE = "oracle"


def bicubic(inputs: Tensor, parameters: Parameters, size: tuple[int, int]) -> Tensor:
    """The dark image, only enlarged."""
    del parameters
    return resize(inputs, size)


def unchanged(inputs: Tensor, parameters: Parameters, size: tuple[int, int]) -> Tensor:
    """The degraded image itself."""
    del parameters, size
    return inputs


def mean_gamma_only(inputs: Tensor, parameters: Parameters, size: tuple[int, int]) -> Tensor:
    """Each image raised to the power that makes its mean 0.5."""
    del parameters, size
    return inputs ** mean_gamma(inputs)[:, None, None, None]


def mean_gamma_bicubic(inputs: Tensor, parameters: Parameters, size: tuple[int, int]) -> Tensor:
    """Each image raised to the power that makes its mean 0.5, then enlarged."""
    return resize(mean_gamma_only(inputs, parameters, size), size)


def llf_oracle(inputs: Tensor, parameters: Parameters, size: tuple[int, int]) -> Tensor:
    """The darkening inverted with its true α, β, γ, then enlarged: right brightness, missing detail."""
    alpha, beta, gamma = (_column(parameters, name, inputs) for name in ("alpha", "beta", "gamma"))
    darkening = DarkeningBatch(alpha, beta, gamma, parameters[0]["noise"])
    return resize(invert_darkening(inputs, darkening), size)


def frr_oracle(inputs: Tensor, parameters: Parameters, size: tuple[int, int]) -> Tensor:
    """The darkening inverted with its true gain and γ: right brightness; blur, noise and blocks stay."""
    del size
    gain, gamma = (expand_bchw(_column(parameters, name, inputs)) for name in ("gain", "gamma"))
    return (inputs / gain).clamp(0.0, 1.0) ** (1.0 / gamma)


_LIGHT: dict[str, Reference] = {"input": unchanged, "mean-gamma": mean_gamma_only}

REFERENCES: dict[BenchmarkName, dict[str, Reference]] = {
    "llf": {"bicubic": bicubic, "mean-gamma + bicubic": mean_gamma_bicubic, ORACLE: llf_oracle},
    "frr": {**_LIGHT, ORACLE: frr_oracle},
    "blind": {"input": unchanged},
    "dark-blind": _LIGHT,
    "real": _LIGHT,
    "real-faces": {"input": unchanged},
}
"""Benchmark -> its reference rows; the oracle, which knows the true degradation, comes last in tables."""


def _column(parameters: Parameters, name: str, like: Tensor) -> Tensor:
    """(B,) of one parameter."""
    return torch.tensor([row[name] for row in parameters], dtype=like.dtype, device=like.device)

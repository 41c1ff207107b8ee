"""The effective resolution of a face: the side, in pixels, that suffices for all of its detail.

The spectra of sharp faces fall with frequency in much the same way. The spectrum of a face that was blurred,
or enlarged from fewer pixels, falls below that curve. Here every cutoff is weighed against all frequency
bands together: the curve of sharp faces times a Gaussian fall-off, the deviations of single faces from the
curve (which neighbouring bands share), and the noise. One weak band, as smooth skin has it, is no cutoff.

Noise covers skin and background as well as eyes and mouth; detail is concentrated at edges. So the noise of
each band is estimated where the band is weakest, whatever its spectrum: grain is no detail, either.

Measured on 100 faces of 256 pixels of three sources; estimate over true size, median (share within a
quarter); "before" is a search for the first band below half of a sharp face's:

    sharp                                  0.99 (100 %)  before 1.00 (92 %)  worst 0.81, before 0.19
    reduced to 16 to 128 pixels, enlarged  1.01 (97 %)  before 0.96 (79 %)
    blurred by a Gaussian                  1.04 (98 %)  before 1.09 (71 %)
    reduced, noisy (4 to 16 levels)        0.96 (93 %)  before 1.01 (66 %)
    reduced, JPEG 30 to 85, enlarged       0.97 (98 %)  before 0.88 (62 %)
    enlarged, then JPEG 30 to 85           1.03 (67 %)  before 0.94 (77 %)
    dark and sharp, noisy                  0.99 (100 %)  before 1.00 (92 %)  worst 0.72, before 0.17

What is read too high: ringing of JPEG around the edges of a blurred face, where it was compressed at full
size (a third of the faces at quality 30 to 85; `blocks` sees those). Noise of 16 levels hides detail: a
sharp face is then read as 0.90 of its size (median; the worst 0.68).
"""

from __future__ import annotations

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.imaging.color import luma

CROP_SIZE = 256
"""Size of the aligned faces that are measured, pixels."""

BANDS = (4.0, 6.0, 8.0, 11.0, 16.0, 23.0, 32.0, 45.0, 64.0, 90.0, 128.0)
"""Edges of the frequency bands (rings of the 2D spectrum), cycles per side of the aligned face."""

SHARP = (1.23, 0.69, 0.594, 0.557, 0.353, 0.292, 0.267, 0.23, 0.186, 0.147)
"""Amplitude of each band without its noise, over that of the first two: medians over 120 sharp faces."""

SPREAD = (0.052, 0.171, 0.198, 0.25, 0.295, 0.301, 0.303, 0.352, 0.35, 0.369)
"""Standard deviation of the amplitude's logarithm among these faces."""

WEAKEST = 0.3
"""Noise is estimated from this quantile of the local power in a band."""

WHITE = (0.38, 0.467, 0.548, 0.623, 0.705, 0.752, 0.816, 0.867, 0.896, 0.931)
"""That quantile over the mean, for white noise: local power varies more in the lower, narrower bands."""

_BLOCK = 16  # side of the squares of local power, pixels
_CONTRAST = 2  # the first bands give the face's contrast
_TEXTURED = 4  # bands below have waves longer than a block: their noise is at most that of this one
_SHARED = 4.0  # bands over which the correlation of deviations falls to 1 / e
_ERROR = 0.2  # standard deviation of the logarithm that noise and JPEG add, independent per band
_LEFTOVER = 0.15  # of the noise's power, not subtracted: bands with much noise and less detail do not count
_FLOOR = math.exp(-5.0)  # power over that of a sharp face, below which a band is empty
_AS_SHARP = 0.3  # prior probability that nothing was lost


def effective_resolution(crop: Tensor) -> float:
    """Side in pixels that suffices for all detail of an aligned face; 10 to 256.

    A Gaussian blur halves the amplitude at half this number of cycles per face. The estimate is the mean of
    the logarithm, given the bands' power.

    Args:
        crop: (1, 3, 256, 256), aligned, as `crop_face` gives it.

    Raises:
        ValueError: another size.
    """
    if crop.shape != (1, 3, CROP_SIZE, CROP_SIZE):
        raise ValueError(f"a face must be (1, 3, {CROP_SIZE}, {CROP_SIZE}), got {tuple(crop.shape)}")
    detail, noise = band_power(crop)
    sides = torch.linspace(math.log(10.0), math.log(CROP_SIZE), 48, dtype=torch.float64)
    cycles = torch.tensor([math.sqrt(low * high) for low, high in itertools.pairwise(BANDS)]).double()
    lost = (cycles / (sides.exp()[:, None] / 2.0)).square() * math.log(2.0)
    # One row per size, and at the end one for a face that has lost nothing.
    transfer = torch.cat([(-2.0 * lost).exp(), torch.ones(1, len(cycles)).double()])
    prior = torch.full((len(transfer),), (1.0 - _AS_SHARP) / len(sides)).double()
    prior[-1] = _AS_SHARP
    weights = (_log_likelihood(detail, noise, transfer) + prior.log()).softmax(0)
    return float((weights * torch.cat([sides, sides[-1:]])).sum().exp())


def band_power(crop: Tensor) -> tuple[Tensor, Tensor]:
    """Power of detail and of noise in each of the `BANDS` of the face's centre, (10,) float64 each."""
    light = luma(crop)[0, 0].double()
    light = (light - light.mean()) * _taper()[:, None] * _taper()
    spectrum = torch.fft.rfft2(light)
    cycles = (
        (torch.fft.fftfreq(CROP_SIZE)[:, None] * CROP_SIZE).square()
        + (torch.fft.rfftfreq(CROP_SIZE) * CROP_SIZE).square()
    ).sqrt()
    rings = torch.stack([(cycles >= low) & (cycles < high) for low, high in itertools.pairwise(BANDS)])
    waves = torch.fft.irfft2(spectrum * rings, s=(CROP_SIZE, CROP_SIZE))
    middle = waves[None, :, 48:240, 32:224].square()
    local = F.avg_pool2d(middle, _BLOCK)[0].flatten(1)
    mean = local.mean(1)
    noise = torch.quantile(local, WEAKEST, dim=1) / torch.tensor(WHITE).double()
    noise[:_TEXTURED] = noise[:_TEXTURED].clamp(max=float(noise[_TEXTURED]))
    noise = torch.minimum(noise, mean)
    return mean - noise, noise


def _log_likelihood(detail: Tensor, noise: Tensor, transfer: Tensor) -> Tensor:
    """Log density of the bands' power above the first two, for each row of `transfer` (N, 10) -> (N,)."""
    sharp = detail[:_CONTRAST].mean().clamp(min=1e-12) * torch.tensor(SHARP).double().square()
    base = _LEFTOVER * noise + _FLOOR * sharp
    expected = (sharp * transfer)[:, _CONTRAST:]
    detail, base = detail[_CONTRAST:], base[_CONTRAST:]
    error = 0.5 * ((detail + base).log() - (expected + base).log())
    # A band in which noise prevails hardly varies with the face.
    spread = torch.tensor(SPREAD[_CONTRAST:]).double() * expected / (expected + base)
    number = torch.arange(len(detail))
    shared = (-(number[:, None] - number).abs().double() / _SHARED).exp()
    covariance = spread[:, :, None] * shared * spread[:, None, :]
    covariance = covariance + _ERROR**2 * torch.eye(len(detail)).double()
    root = torch.linalg.cholesky(covariance)
    whitened = torch.linalg.solve_triangular(root, error[:, :, None], upper=False)
    return -0.5 * whitened.square().sum((1, 2)) - root.diagonal(dim1=1, dim2=2).log().sum(1)


def _taper() -> Tensor:
    """(256,): 1, falling to 0 over 32 pixels at either end, against the jump at the border."""
    ramp = 0.5 - 0.5 * torch.linspace(0.0, math.pi, 32, dtype=torch.float64).cos()
    return torch.cat([ramp, torch.ones(CROP_SIZE - 64).double(), ramp.flip(0)])

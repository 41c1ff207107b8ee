"""Volume rendering of tri-planes: colour and depth of a face as a camera sees it.

Kajiya and Von Herzen 1984; the quadrature and the two passes are NeRF's (Mildenhall et al. 2020, §4, §5.2,
equations 3 and 5). An opaque background lies behind the planes' box: light that passes the box ends there, so
that the background of a portrait has a colour, and each ray a depth.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor

from lumiface.core.settings import Settings
from lumiface.geometry.camera import rays
from lumiface.methods.prior3d.triplane import PlaneDecoder, sample_planes


class RenderConfig(Settings):
    """Number of samples per ray."""

    coarse: int = Field(default=48, ge=4, description="stratified samples per ray in the first pass")
    fine: int = Field(default=48, ge=4, description="samples per ray in the second, importance-sampled pass")


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """Output of `render`.

    Attributes:
        colour: (B, 3, h, w), about [0, 1].
        depth: (B, 1, h, w), distance from the camera along each ray, world units.
        opacity: (B, 1, h, w) in [0, 1]; 0 where a ray meets only the background.
        weights, bin_edges: (B, N, n) and (B, N, n + 1), rendering weight of each bin of a ray, and the bins'
            edges as fractions of the ray within the box; for losses on the density.
    """

    colour: Tensor
    depth: Tensor
    opacity: Tensor
    weights: Tensor
    bin_edges: Tensor


def render(
    planes: Tensor,
    decoder: PlaneDecoder,
    camera: Tensor,
    half_side: float,
    config: RenderConfig,
    size: tuple[int, int],
    *,
    pixels: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Rendering:
    """Render faces, each from its own camera.

    Args:
        planes: (B, 3, C, S, S).
        decoder: features -> density and colour.
        camera: (B, 25), see `lumiface.geometry.camera`.
        half_side: the planes span [-half_side, half_side].
        config: number of samples per ray.
        size: height and width of the image, pixels.
        pixels: (h, w) indices of the pixels to render, row by row; default: all.
        generator: jitters the samples, for training; None: bin centres, deterministic.
    """
    origins, directions = rays(camera, *size)
    selected = torch.arange(size[0] * size[1]).reshape(size) if pixels is None else pixels
    flat = selected.reshape(-1).to(directions.device)
    origins, directions = origins[:, flat], directions[:, flat]  # (B, N, 3)
    near, far = box_span(origins, directions, half_side)

    def query(fraction: Tensor) -> tuple[Tensor, Tensor]:
        distance = near + (far - near) * fraction  # (B, N, n)
        points = origins[..., None, :] + directions[..., None, :] * distance[..., None]
        density, colour = decoder(sample_planes(planes, points.flatten(1, 2), half_side))
        return density.unflatten(1, fraction.shape[1:])[..., 0], colour.unflatten(1, fraction.shape[1:])

    with torch.no_grad():  # the first pass only locates the density
        bin_edges = _uniform_bins(near, config.coarse)
        density, _ = query(_sample_bins(bin_edges, generator))
        coarse_weights, _ = render_weights(density, bin_edges, far - near)
        bin_edges = resample_bins(coarse_weights, bin_edges, config.fine)
    density, colour = query(_sample_bins(bin_edges, generator))
    _, background = query(torch.ones_like(near))  # (B, N, 1, 3)
    weights, transmittance = render_weights(density, bin_edges, far - near)
    centres = near + (far - near) * (bin_edges[..., 1:] + bin_edges[..., :-1]) / 2.0
    shape = selected.shape
    return Rendering(
        colour=_to_image(
            (weights[..., None] * colour).sum(dim=2) + transmittance * background[:, :, 0], shape
        ),
        depth=_to_image((weights * centres).sum(dim=2, keepdim=True) + transmittance * far, shape),
        opacity=_to_image(1.0 - transmittance, shape),
        weights=weights,
        bin_edges=bin_edges,
    )


def box_span(origins: Tensor, directions: Tensor, half_side: float) -> tuple[Tensor, Tensor]:
    """Distances at which rays enter and leave the box [-half_side, half_side]³ (Kay and Kajiya 1986).

    Args:
        origins, directions: (B, N, 3).
        half_side: half the side of the box, world units.

    Returns:
        distances (B, N, 1) each; equal where a ray misses the box.
    """
    nonzero = torch.where(directions.abs() < 1e-9, torch.full_like(directions, 1e-9), directions)
    one, other = (-half_side - origins) / nonzero, (half_side - origins) / nonzero
    near = torch.minimum(one, other).amax(dim=-1, keepdim=True).clamp_min(0.0)
    far = torch.maximum(one, other).amin(dim=-1, keepdim=True)
    return near, torch.maximum(near, far)


def render_weights(density: Tensor, bin_edges: Tensor, span: Tensor) -> tuple[Tensor, Tensor]:
    """Contribution of each bin of a ray to its pixel (NeRF, equation 3).

    Args:
        density: (B, N, n), per unit of length.
        bin_edges: (B, N, n + 1), as fractions of the ray within the box.
        span: (B, N, 1), length of the ray within the box.

    Returns:
        weights (B, N, n) and the transmittance of all bins together (B, N, 1); they sum to 1.
    """
    thickness = density * (bin_edges[..., 1:] - bin_edges[..., :-1]) * span
    after = torch.exp(-torch.cumsum(thickness, dim=-1))  # transmittance up to the end of each bin
    before = torch.cat([torch.ones_like(after[..., :1]), after[..., :-1]], dim=-1)
    return before - after, after[..., -1:]


def resample_bins(weights: Tensor, bin_edges: Tensor, count: int) -> Tensor:
    """Divide rays into `count` new bins of equal weight (importance sampling).

    A fifth of the bins stays uniform over the whole ray, for what the first pass missed.

    Args:
        weights: (B, N, n), from `render_weights`.
        bin_edges: (B, N, n + 1), increasing from 0 to 1.
        count: number of new bins.

    Returns:
        (B, N, count + 1), increasing from 0 to 1.
    """
    uniform = bin_edges[..., 1:] - bin_edges[..., :-1]
    # The weight of the background is spread uniformly, too.
    density = 0.8 * weights + (1.0 - 0.8 * weights.sum(dim=-1, keepdim=True)) * uniform
    cumulative = torch.cumsum(density, dim=-1)
    cumulative = torch.cat([torch.zeros_like(cumulative[..., :1]), cumulative / cumulative[..., -1:]], dim=-1)
    quantiles = torch.linspace(0.0, 1.0, count + 1, device=bin_edges.device, dtype=bin_edges.dtype)
    quantiles = quantiles.expand(*bin_edges.shape[:-1], -1).contiguous()
    right = torch.searchsorted(cumulative, quantiles, right=True).clamp(1, bin_edges.shape[-1] - 1)
    low, high = cumulative.gather(-1, right - 1), cumulative.gather(-1, right)
    fraction = ((quantiles - low) / (high - low).clamp_min(1e-9)).clamp(0.0, 1.0)
    start, end = bin_edges.gather(-1, right - 1), bin_edges.gather(-1, right)
    return start + fraction * (end - start)


def _uniform_bins(like: Tensor, count: int) -> Tensor:
    bin_edges = torch.linspace(0.0, 1.0, count + 1, device=like.device, dtype=like.dtype)
    return bin_edges.expand(*like.shape[:2], -1)


def _sample_bins(bin_edges: Tensor, generator: torch.Generator | None) -> Tensor:
    """One position per bin: its centre, or uniformly random with a generator."""
    start, end = bin_edges[..., :-1], bin_edges[..., 1:]
    if generator is None:
        return (start + end) / 2.0
    uniform = torch.rand(start.shape, generator=generator, device=generator.device, dtype=start.dtype)
    return start + uniform.to(start.device) * (end - start)


def _to_image(values: Tensor, shape: torch.Size) -> Tensor:
    """(B, h·w, c) -> (B, c, h, w)."""
    return values.transpose(1, 2).unflatten(2, shape)

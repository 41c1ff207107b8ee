"""Volume rendering: what a camera sees of a face in three planes, and how far away it is.

Kajiya and Von Herzen 1984; the quadrature and the two passes are NeRF's (Mildenhall et al. 2020, §4, §5.2,
equations 3 and 5). Behind the planes' box stands a wall: light that passes all of it ends there, so that the
background of a portrait has a colour, and each ray a depth.
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
    """How finely a ray is looked at."""

    coarse: int = Field(default=48, ge=4, description="stratified samples of a ray, to find where things are")
    fine: int = Field(default=48, ge=4, description="samples where the first pass saw something")


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """What a camera sees.

    Attributes:
        colour: (B, 3, h, w), about [0, 1].
        depth: (B, 1, h, w), distance from the camera along each ray, world units.
        opacity: (B, 1, h, w) in [0, 1]; 0 where a ray meets nothing but the wall.
        weights, edges: (B, N, n) and (B, N, n + 1), how much each stretch of a ray is seen, and where it
            begins and ends as shares of the ray within the box; for losses on the density.
    """

    colour: Tensor
    depth: Tensor
    opacity: Tensor
    weights: Tensor
    edges: Tensor


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
    """Render faces, each from a camera of its own.

    Args:
        planes: (B, 3, C, S, S).
        camera: (B, 25), see `lumiface.geometry.camera`.
        half_side: half of what the planes span.
        size: height and width of the picture, pixels.
        pixels: (h, w) numbers of the pixels wanted, row by row; default: all of them.
        generator: jitters the samples, as training wants; None: their middles, always the same.
    """
    origins, directions = rays(camera, *size)
    chosen = torch.arange(size[0] * size[1]).reshape(size) if pixels is None else pixels
    flat = chosen.reshape(-1).to(directions.device)
    origins, directions = origins[:, flat], directions[:, flat]  # (B, N, 3)
    near, far = box_span(origins, directions, half_side)

    def look(share: Tensor) -> tuple[Tensor, Tensor]:
        distance = near + (far - near) * share  # (B, N, n)
        points = origins[..., None, :] + directions[..., None, :] * distance[..., None]
        density, colour = decoder(sample_planes(planes, points.flatten(1, 2), half_side))
        return density.unflatten(1, share.shape[1:])[..., 0], colour.unflatten(1, share.shape[1:])

    with torch.no_grad():  # the first pass only says where to look
        edges = _even_edges(near, config.coarse)
        density, _ = look(_within(edges, generator))
        seen, _ = render_weights(density, edges, far - near)
        edges = resample_bins(seen, edges, config.fine)
    density, colour = look(_within(edges, generator))
    _, wall = look(torch.ones_like(near))  # (B, N, 1, 3)
    weights, passed = render_weights(density, edges, far - near)
    middles = near + (far - near) * (edges[..., 1:] + edges[..., :-1]) / 2.0
    shape = chosen.shape
    return Rendering(
        colour=_picture((weights[..., None] * colour).sum(dim=2) + passed * wall[:, :, 0], shape),
        depth=_picture((weights * middles).sum(dim=2, keepdim=True) + passed * far, shape),
        opacity=_picture(1.0 - passed, shape),
        weights=weights,
        edges=edges,
    )


def box_span(origins: Tensor, directions: Tensor, half_side: float) -> tuple[Tensor, Tensor]:
    """Where rays enter and leave the box [-half_side, half_side]³ (Kay and Kajiya 1986).

    Args:
        origins, directions: (B, N, 3).

    Returns:
        distances (B, N, 1) each; equal where a ray misses the box.
    """
    steep = torch.where(directions.abs() < 1e-9, torch.full_like(directions, 1e-9), directions)
    one, other = (-half_side - origins) / steep, (half_side - origins) / steep
    near = torch.minimum(one, other).amax(dim=-1, keepdim=True).clamp_min(0.0)
    far = torch.maximum(one, other).amin(dim=-1, keepdim=True)
    return near, torch.maximum(near, far)


def render_weights(density: Tensor, edges: Tensor, span: Tensor) -> tuple[Tensor, Tensor]:
    """How much of each stretch of a ray the camera sees (NeRF, equation 3).

    Args:
        density: (B, N, n), per unit of length.
        edges: (B, N, n + 1), where stretches begin and end, as shares of the ray within the box.
        span: (B, N, 1), that ray's length within the box.

    Returns:
        weights (B, N, n) and the light that passes all stretches (B, N, 1); together they sum to 1.
    """
    thickness = density * (edges[..., 1:] - edges[..., :-1]) * span
    through = torch.exp(-torch.cumsum(thickness, dim=-1))  # after each stretch
    before = torch.cat([torch.ones_like(through[..., :1]), through[..., :-1]], dim=-1)
    return before - through, through[..., -1:]


def resample_bins(weights: Tensor, edges: Tensor, count: int) -> Tensor:
    """Cut rays anew into `count` stretches that are alike in what can be seen of them.

    A fifth of the stretches stays spread over the whole ray: what the first pass overlooked is not lost.

    Args:
        weights: (B, N, n), as `render_weights` gives them.
        edges: (B, N, n + 1) increasing from 0 to 1.

    Returns:
        (B, N, count + 1), increasing from 0 to 1.
    """
    even = edges[..., 1:] - edges[..., :-1]
    # The light that reached the wall counts as spread evenly, too.
    density = 0.8 * weights + (1.0 - 0.8 * weights.sum(dim=-1, keepdim=True)) * even
    cumulative = torch.cumsum(density, dim=-1)
    cumulative = torch.cat([torch.zeros_like(cumulative[..., :1]), cumulative / cumulative[..., -1:]], dim=-1)
    wanted = torch.linspace(0.0, 1.0, count + 1, device=edges.device, dtype=edges.dtype)
    wanted = wanted.expand(*edges.shape[:-1], -1).contiguous()
    right = torch.searchsorted(cumulative, wanted, right=True).clamp(1, edges.shape[-1] - 1)
    low, high = cumulative.gather(-1, right - 1), cumulative.gather(-1, right)
    share = ((wanted - low) / (high - low).clamp_min(1e-9)).clamp(0.0, 1.0)
    start, end = edges.gather(-1, right - 1), edges.gather(-1, right)
    return start + share * (end - start)


def _even_edges(like: Tensor, count: int) -> Tensor:
    edges = torch.linspace(0.0, 1.0, count + 1, device=like.device, dtype=like.dtype)
    return edges.expand(*like.shape[:2], -1)


def _within(edges: Tensor, generator: torch.Generator | None) -> Tensor:
    """One place in each stretch: its middle, or anywhere with a generator."""
    start, end = edges[..., :-1], edges[..., 1:]
    if generator is None:
        return (start + end) / 2.0
    drawn = torch.rand(start.shape, generator=generator, device=generator.device, dtype=start.dtype)
    return start + drawn.to(start.device) * (end - start)


def _picture(values: Tensor, shape: torch.Size) -> Tensor:
    """(B, h·w, c) -> (B, c, h, w)."""
    return values.transpose(1, 2).unflatten(2, shape)

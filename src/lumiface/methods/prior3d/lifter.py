"""From one photograph of a face to its tri-plane: what the paper takes from a pretrained network (§2.1).

Trevithick et al. 2023, "Real-Time Radiance Fields for Single-Image Portrait View Synthesis" (LP3D), lifts
with a transformer whose weights are not public; this network does the same task and learns it from
photographs with known cameras alone.

NOTE(paper): LP3D is given no camera. Here it is known wherever the lifter serves (in training, and to make
the diffusion's examples), and the picture is first laid onto the xy plane by it: what belongs to a texel then
lies under it, which convolutions need, and few faces suffice.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.blocks.residual import ResidualBlock
from lumiface.core.settings import Settings
from lumiface.geometry.camera import project
from lumiface.methods.prior3d.render import RenderConfig, Rendering, render
from lumiface.methods.prior3d.triplane import PlaneDecoder, TriPlaneConfig, mirror_planes

FACE_DEPTH = 0.1
"""z of the plane onto which pictures are laid, world units: the middle of a face's relief (-0.05 to 0.18)."""


class LifterConfig(Settings):
    """What defines one lifter; stored in every checkpoint."""

    planes: TriPlaneConfig = Field(default=TriPlaneConfig(), description="the tri-plane and its decoder")
    widths: tuple[int, ...] = Field(
        default=(48, 96, 128, 192), min_length=2, description="channels at the planes' size, a half, ..."
    )
    render: RenderConfig = Field(default=RenderConfig(), description="samples of a ray")


class Lifter(nn.Module):
    """Image -> tri-plane, with the decoder that the tri-plane is rendered with.

    An encoder over the laid-out picture, then one decoder for all three planes. The xy plane sees the
    encoder's features as they are; the other two see them averaged over the axis that they do not have.
    """

    def __init__(self, config: LifterConfig) -> None:
        super().__init__()
        self.config = config
        side, channels = config.planes.side, config.planes.channels
        first, *_ = widths = config.widths
        self.stem = nn.Conv2d(4, first, 3, stride=2, padding=1)
        self.encode = nn.ModuleList(ResidualBlock(width) for width in widths)
        pairs = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(nn.Conv2d(wide, deep, 3, stride=2, padding=1) for wide, deep in pairs)
        self.middle = nn.Sequential(ResidualBlock(widths[-1]), ResidualBlock(widths[-1]))
        self.up = nn.ModuleList(nn.Conv2d(deep, wide, 1) for wide, deep in reversed(pairs))
        self.fuse = nn.ModuleList(nn.Conv2d(2 * wide, wide, 1) for wide, _ in reversed(pairs))
        self.decode = nn.ModuleList(ResidualBlock(wide) for wide, _ in reversed(pairs))
        # What tells the planes, and places along the axis that a picture does not have, from one another.
        sizes = [side >> level for level in range(len(widths))]
        self.pos_embed = nn.ParameterList(
            nn.Parameter(0.02 * torch.randn(3, width, size, size))
            for width, size in zip(widths, sizes, strict=True)
        )
        self.out = nn.Conv2d(first, channels, 3, padding=1)
        self.decoder = PlaneDecoder(config.planes)

    def forward(self, picture: Tensor, camera: Tensor) -> Tensor:
        """Lift faces.

        Args:
            picture: (B, 3, H, W) in [0, 1], normally lit.
            camera: (B, 25), where each stood.

        Returns:
            (B, 3, C, S, S): the xy, xz and zy planes.
        """
        planes = self.config.planes
        laid = backproject_to_plane(picture, camera, 2 * planes.side, planes.half_side)
        features = self.stem(2.0 * laid - 1.0)
        skips: list[Tensor] = []
        for level, block in enumerate(self.encode):
            features = block(features if level == 0 else self.down[level - 1](features))
            skips.append(features)
        features = self._for_planes(self.middle(skips.pop()), len(skips))
        for up, fuse, block in zip(self.up, self.fuse, self.decode, strict=True):
            skip = self._for_planes(skips.pop(), len(skips))
            larger = F.interpolate(up(features), size=skip.shape[-2:], mode="bilinear", align_corners=False)
            features = block(fuse(torch.cat([larger, skip], dim=1)))
        return self.out(features).unflatten(0, (-1, 3))

    def render(
        self,
        planes: Tensor,
        camera: Tensor,
        size: int,
        *,
        pixels: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Rendering:
        """What `camera` (B, 25) sees of `planes` (B, 3, C, S, S), `size` pixels square; see `render`."""
        half_side = self.config.planes.half_side
        return render(
            planes,
            self.decoder,
            camera,
            half_side,
            self.config.render,
            (size, size),
            pixels=pixels,
            generator=generator,
        )

    def mirrored(self, planes: Tensor) -> Tensor:
        """The tri-planes of the same faces in a mirror; see `mirror_planes`."""
        return mirror_planes(planes)

    def _for_planes(self, features: Tensor, level: int) -> Tensor:
        """(B, C, s, s) of the xy plane -> (B·3, C, s, s): what each plane can see of it, and its place."""
        columns = features.mean(dim=2, keepdim=True).expand_as(features)  # xz: x along its width
        rows = features.mean(dim=3, keepdim=True).expand_as(features)  # zy: y along its height
        seen = torch.stack([features, columns, rows], dim=1) + self.pos_embed[level]
        return seen.flatten(0, 1)


def backproject_to_plane(picture: Tensor, camera: Tensor, side: int, half_side: float) -> Tensor:
    """Resample photographs as if they had been taken from straight ahead, through the plane z = FACE_DEPTH.

    Args:
        picture: (B, 3, H, W).
        camera: (B, 25).
        side: of the result, texels.
        half_side: half of what the plane spans, world units.

    Returns:
        (B, 4, side, side): the picture, 0 where the photograph ends, and 1 where it has something.
    """
    steps = (
        (torch.arange(side, device=camera.device, dtype=camera.dtype) + 0.5) / side * 2.0 - 1.0
    ) * half_side
    y, x = torch.meshgrid(-steps, steps, indexing="ij")  # the first row is the highest
    points = torch.stack([x, y, torch.full_like(x, FACE_DEPTH)], dim=-1).reshape(1, -1, 3)
    place = project(points.expand(len(camera), -1, -1), camera, 1, 1)[..., :2]  # (B, side², 2) in [0, 1]
    grid = (2.0 * place - 1.0).unflatten(1, (side, side)).to(picture.dtype)
    inside = (grid.abs() <= 1.0).all(dim=-1)[:, None].to(picture.dtype)
    laid = F.grid_sample(picture, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return torch.cat([laid * inside, inside], dim=1)

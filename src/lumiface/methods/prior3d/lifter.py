"""From one image of a face to its tri-plane, in place of the paper's pretrained network (§2.1).

Trevithick et al. 2023, "Real-Time Radiance Fields for Single-Image Portrait View Synthesis" (LP3D), lifts
with a transformer whose weights are not public; this network solves the same task and is trained on
photographs with known cameras only.

NOTE(paper): LP3D has no camera as input. Here the camera is known wherever the lifter is used (in training,
and to generate the diffusion model's training data). The image is first back-projected onto the xy plane:
image and texel are then aligned, which suits convolutions and small training sets.
"""

from __future__ import annotations

import itertools
from typing import ClassVar

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
"""z of the plane for back-projection, world units: the middle of a face's relief (-0.05 to 0.18)."""


class LifterConfig(Settings):
    """The configuration of a lifter; stored in every checkpoint."""

    planes: TriPlaneConfig = Field(default=TriPlaneConfig(), description="the tri-plane and its decoder")
    widths: tuple[int, ...] = Field(
        default=(48, 96, 128, 192),
        min_length=2,
        description="channels at the planes' resolution, 1/2, 1/4, ...",
    )
    render: RenderConfig = Field(default=RenderConfig(), description="samples per ray")


class Lifter(nn.Module):
    """Image -> tri-plane, with the plane decoder for rendering.

    A U-Net encoder on the back-projected image, then one shared decoder for the three planes. For the xy
    plane the encoder's features are used directly; for the other two they are averaged over the axis that
    those planes lack.
    """

    old_child_names: ClassVar[dict[str, str]] = {"places": "pos_embed"}

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
        # Distinguishes the planes, and positions along z, which an image does not have.
        sizes = [side >> level for level in range(len(widths))]
        self.pos_embed = nn.ParameterList(
            nn.Parameter(0.02 * torch.randn(3, width, size, size))
            for width, size in zip(widths, sizes, strict=True)
        )
        self.out = nn.Conv2d(first, channels, 3, padding=1)
        self.decoder = PlaneDecoder(config.planes)

    def forward(self, image: Tensor, camera: Tensor) -> Tensor:
        """Lift faces.

        Args:
            image: (B, 3, H, W) in [0, 1], normally lit.
            camera: (B, 25), of each image.

        Returns:
            (B, 3, C, S, S): the xy, xz and zy planes.
        """
        planes = self.config.planes
        projected = backproject_to_plane(image, camera, 2 * planes.side, planes.half_side)
        features = self.stem(2.0 * projected - 1.0)
        skips: list[Tensor] = []
        for level, block in enumerate(self.encode):
            features = block(features if level == 0 else self.down[level - 1](features))
            skips.append(features)
        features = self._for_planes(self.middle(skips.pop()), len(skips))
        for up, fuse, block in zip(self.up, self.fuse, self.decode, strict=True):
            skip = self._for_planes(skips.pop(), len(skips))
            upsampled = F.interpolate(
                up(features), size=skip.shape[-2:], mode="bilinear", align_corners=False
            )
            features = block(fuse(torch.cat([upsampled, skip], dim=1)))
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
        """Render `planes` (B, 3, C, S, S) from `camera` (B, 25) at size x size pixels; see `render`."""
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
        """The tri-planes of the mirrored faces; see `mirror_planes`."""
        return mirror_planes(planes)

    def _for_planes(self, features: Tensor, level: int) -> Tensor:
        """Features (B, C, s, s) of the xy plane -> (B·3, C, s, s): features and embedding of each plane."""
        columns = features.mean(dim=2, keepdim=True).expand_as(features)  # xz: x along its width
        rows = features.mean(dim=3, keepdim=True).expand_as(features)  # zy: y along its height
        planes = torch.stack([features, columns, rows], dim=1) + self.pos_embed[level]
        return planes.flatten(0, 1)


def backproject_to_plane(image: Tensor, camera: Tensor, size: int, half_side: float) -> Tensor:
    """Rectify images to a frontal view by back-projection onto the plane z = FACE_DEPTH.

    Args:
        image: (B, 3, H, W).
        camera: (B, 25).
        size: height and width of the result, texels.
        half_side: the plane spans [-half_side, half_side], world units.

    Returns:
        (B, 4, size, size): the image, 0 outside of it, and a mask, 1 inside.
    """
    steps = (
        (torch.arange(size, device=camera.device, dtype=camera.dtype) + 0.5) / size * 2.0 - 1.0
    ) * half_side
    y, x = torch.meshgrid(-steps, steps, indexing="ij")  # the first row is the highest
    points = torch.stack([x, y, torch.full_like(x, FACE_DEPTH)], dim=-1).reshape(1, -1, 3)
    position = project(points.expand(len(camera), -1, -1), camera, 1, 1)[..., :2]  # (B, size², 2) in [0, 1]
    grid = (2.0 * position - 1.0).unflatten(1, (size, size)).to(image.dtype)
    inside = (grid.abs() <= 1.0).all(dim=-1)[:, None].to(image.dtype)
    projected = F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return torch.cat([projected * inside, inside], dim=1)

"""How the lifter is taught: photographs, their mirror images, and the relief of each face.

One photograph shows one side. Three things make a head of it: the depth of the points found in the face, the
mirrored photograph, which a nearly symmetric face would show from the other side, and a cost for density
that is spread along a ray.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings
from lumiface.geometry.camera import mirror_camera
from lumiface.losses import PerceptualLoss, distortion_loss, l1_loss
from lumiface.methods.prior3d.lifter import Lifter


class LifterRecipeConfig(Settings):
    """Weights of the losses, and how much of a picture a step renders."""

    side: int = Field(default=128, ge=32, description="side of the picture that is rendered, pixels")
    stride: int = Field(default=2, ge=1, description="every so many pixels of it, in both directions, a step")
    mirror_stride: int = Field(default=4, ge=1, description="the same for the mirrored view")
    colour: float = Field(default=1.0, ge=0, description="mean absolute difference of the rendering")
    perceptual: float = Field(default=0.01, ge=0, description="distance in VGG's features; 0 needs no VGG")
    mirror: float = Field(default=0.3, ge=0, description="the mirrored view's difference, inside the face")
    depth: float = Field(default=3.0, ge=0, description="difference of depth inside the face, world units")
    opacity: float = Field(default=0.1, ge=0, description="what shines through the face")
    distortion: float = Field(default=0.01, ge=0, description="density spread along rays")


class LifterRecipe(nn.Module):
    """The loss of one training step; it has no random state of its own."""

    def __init__(self, config: LifterRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config = config
        self.perceptual = PerceptualLoss() if config.perceptual > 0 else None

    def forward(
        self,
        lifter: Lifter,
        planes: Tensor,
        picture: Tensor,
        camera: Tensor,
        depth: Tensor,
        mask: Tensor,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """The weighted parts of the loss, by name; their sum is what is minimised.

        Args:
            lifter: reads the planes.
            planes: (B, 3, C, S, S), what it made of the pictures.
            picture: (B, 3, s, s) in [0, 1], s as `config.side` says.
            camera: (B, 25).
            depth: (B, 1, s, s) distance along the rays, world units; mask: (B, 1, s, s) bool, where it holds.
            generator: which pixels are rendered, and where along their rays.
        """
        weights, side = self.config, self.config.side
        pixels = _grid(side, weights.stride, generator).to(picture.device)
        wanted, face = _pick(picture, pixels), _pick(mask.to(picture.dtype), pixels)
        seen = lifter.render(planes, camera, side, pixels=pixels, generator=generator)
        parts = {
            "colour": weights.colour * l1_loss(seen.colour, wanted),
            "depth": weights.depth * _inside((seen.depth - _pick(depth, pixels)).abs(), face),
            "opacity": weights.opacity * _inside(1.0 - seen.opacity, face),
            "distortion": weights.distortion * distortion_loss(seen.weights, seen.edges),
        }
        if self.perceptual is not None:
            parts["perceptual"] = weights.perceptual * self.perceptual(seen.colour, wanted)
        if weights.mirror > 0:
            pixels = _grid(side, weights.mirror_stride, generator).to(picture.device)
            wanted, face = _pick(picture.flip(-1), pixels), _pick(mask.to(picture.dtype).flip(-1), pixels)
            seen = lifter.render(planes, mirror_camera(camera), side, pixels=pixels, generator=generator)
            parts["mirror"] = weights.mirror * _inside((seen.colour - wanted).abs(), face)
        return parts


def _grid(side: int, stride: int, generator: torch.Generator) -> Tensor:
    """Numbers of every `stride`-th pixel in both directions, from a drawn corner, as a square."""
    top, left = torch.randint(stride, (2,), generator=generator).tolist()
    rows, columns = torch.arange(top, side, stride), torch.arange(left, side, stride)
    rows, columns = rows[: side // stride], columns[: side // stride]
    return rows[:, None] * side + columns


def _pick(picture: Tensor, pixels: Tensor) -> Tensor:
    """(B, C, s, s) -> (B, C, h, w), the pixels of these numbers."""
    return picture.flatten(2)[:, :, pixels.flatten()].unflatten(2, pixels.shape)


def _inside(values: Tensor, mask: Tensor) -> Tensor:
    """The mean over the mask (B, 1, h, w); 0 where it is empty."""
    return (values * mask).sum() / (mask.sum() * values.shape[1]).clamp_min(1.0)

"""The recipe of the lifter: losses on the image, on its mirror image, and on the depth of the face.

One image shows one side only. Three terms constrain the rest: depth from the face's landmarks, the mirrored
image as a second view of a nearly symmetric face, and a penalty on density that is spread along a ray.
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
    """Weights of the losses, and how many pixels a step renders."""

    side: int = Field(default=128, ge=32, description="height and width of the rendering, pixels")
    stride: int = Field(default=2, ge=1, description="a step renders every n-th pixel in both directions")
    mirror_stride: int = Field(default=4, ge=1, description="the same for the mirrored view")
    colour: float = Field(
        default=1.0, ge=0, description="weight of the mean absolute difference of the rendering"
    )
    perceptual: float = Field(
        default=0.01, ge=0, description="weight of the distance in VGG's features; 0: no VGG needed"
    )
    mirror: float = Field(
        default=0.3, ge=0, description="weight of the mirrored view's difference inside the face"
    )
    depth: float = Field(
        default=3.0, ge=0, description="weight of the depth difference inside the face, world units"
    )
    opacity: float = Field(default=0.1, ge=0, description="weight of the transparency inside the face")
    distortion: float = Field(default=0.01, ge=0, description="weight of the distortion loss along rays")


class LifterRecipe(nn.Module):
    """The loss of one training step; it has no random state."""

    def __init__(self, config: LifterRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config = config
        self.perceptual = PerceptualLoss() if config.perceptual > 0 else None

    def forward(
        self,
        lifter: Lifter,
        planes: Tensor,
        image: Tensor,
        camera: Tensor,
        depth: Tensor,
        mask: Tensor,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """The weighted loss terms by name; their sum is minimised.

        Args:
            lifter: renders the planes.
            planes: (B, 3, C, S, S), its output for the images.
            image: (B, 3, s, s) in [0, 1], s = `config.side`.
            camera: (B, 25).
            depth: (B, 1, s, s) distance along the rays, world units.
            mask: (B, 1, s, s) bool, where `depth` is valid.
            generator: source of the random pixel offsets and ray samples, on the images' device.
        """
        weights, side = self.config, self.config.side
        pixels = _grid(side, weights.stride, generator)
        target, face = _select(image, pixels), _select(mask.to(image.dtype), pixels)
        rendering = lifter.render(planes, camera, side, pixels=pixels, generator=generator)
        terms = {
            "colour": weights.colour * l1_loss(rendering.colour, target),
            "depth": weights.depth * _inside((rendering.depth - _select(depth, pixels)).abs(), face),
            "opacity": weights.opacity * _inside(1.0 - rendering.opacity, face),
            "distortion": weights.distortion * distortion_loss(rendering.weights, rendering.bin_edges),
        }
        if self.perceptual is not None:
            terms["perceptual"] = weights.perceptual * self.perceptual(rendering.colour, target)
        if weights.mirror > 0:
            pixels = _grid(side, weights.mirror_stride, generator)
            target = _select(image.flip(-1), pixels)
            face = _select(mask.to(image.dtype).flip(-1), pixels)
            rendering = lifter.render(planes, mirror_camera(camera), side, pixels=pixels, generator=generator)
            terms["mirror"] = weights.mirror * _inside((rendering.colour - target).abs(), face)
        return terms


def _grid(side: int, stride: int, generator: torch.Generator) -> Tensor:
    """Indices of every `stride`-th pixel in both directions, from a random offset, as a square."""
    device = generator.device
    top, left = torch.randint(stride, (2,), generator=generator, device=device)  # read by the device alone
    steps = stride * torch.arange(side // stride, device=device)
    return (top + steps)[:, None] * side + left + steps


def _select(image: Tensor, pixels: Tensor) -> Tensor:
    """(B, C, s, s) -> (B, C, h, w), the pixels of these indices."""
    return image.flatten(2)[:, :, pixels.flatten()].unflatten(2, pixels.shape)


def _inside(values: Tensor, mask: Tensor) -> Tensor:
    """The mean over the mask (B, 1, h, w); 0 for an empty mask."""
    return (values * mask).sum() / (mask.sum() * values.shape[1]).clamp_min(1.0)

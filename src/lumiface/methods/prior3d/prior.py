"""From a dark photograph to the rendering and the depth that lead its enhancement (§2, §3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from lumiface.core.settings import Settings
from lumiface.geometry.camera import NUMBERS, pack_camera, unpack_camera
from lumiface.methods.prior3d.denoiser import Denoiser, DenoiserConfig
from lumiface.methods.prior3d.plane_normalizer import TriplaneNormalizer
from lumiface.methods.prior3d.render import RenderConfig, Rendering, render
from lumiface.methods.prior3d.triplane import PlaneDecoder, TriPlaneConfig

RAYS = 2048
"""Rays of one picture that are followed at once."""


class PriorConfig(Settings):
    """What defines one 3D prior; stored in every checkpoint."""

    planes: TriPlaneConfig = Field(default=TriPlaneConfig(), description="the lifter's tri-plane and decoder")
    denoiser: DenoiserConfig = Field(
        default=DenoiserConfig(), description="the network that takes noise away"
    )
    render: RenderConfig = Field(default=RenderConfig(), description="samples of a ray")
    estimator: Literal["diffusion", "regression"] = Field(
        default="diffusion", description="diffusion: the paper's; regression: variant 6 of its ablation"
    )
    sampler: Literal["ddim", "ddpm"] = Field(
        default="ddim",
        description="ddim: in few steps; ddpm: the paper's equation 4, all steps, a hundred times slower",
    )
    sampling_steps: int = Field(default=10, ge=1, description="DDIM steps to draw a tri-plane")
    temperature: float = Field(
        default=1.0,
        ge=0,
        description="deviation of the noise that drawing begins with; below 1: nearer the mean",
    )
    clip: float = Field(default=6.0, gt=0, description="estimates of x_0 are held within ± this, deviations")
    seed: int = Field(default=0, ge=0, description="of the noise that drawing begins with; one for all faces")

    @model_validator(mode="after")
    def _alike(self) -> Self:
        if self.planes.side != self.denoiser.side:
            raise ValueError(
                f"denoiser: draws planes of {self.denoiser.side}² texels, "
                f"the decoder reads {self.planes.side}²"
            )
        return self


@dataclass(frozen=True, slots=True, eq=False)
class SampledTriplane:
    """What was drawn for a photograph: `planes` (B, 3, C, S, S) and its `camera` (B, 25)."""

    planes: Tensor
    camera: Tensor


class Prior(nn.Module):
    """A dark photograph -> a tri-plane of the same face in normal light, and pictures of it."""

    def __init__(self, config: PriorConfig) -> None:
        super().__init__()
        self.config = config
        self.denoiser = Denoiser(config.denoiser)
        self.decoder = PlaneDecoder(config.planes)
        self.normalizer = TriplaneNormalizer(
            config.planes.channels, config.planes.side, config.denoiser.components
        )

    def forward(self, noisy: Tensor, picture: Tensor, t: Tensor) -> Tensor:
        """The denoiser alone, as training calls it: (x_t, I, t) -> x_0."""
        return self.denoiser(noisy, picture, t)

    def sample(self, picture: Tensor) -> SampledTriplane:
        """Draw each face's tri-plane and camera; the same photograph gives the same, alone or with others.

        Args:
            picture: (B, 3, H, W) in [0, 1].
        """
        settings, denoiser = self.config, self.denoiser
        condition = denoiser.condition(picture)
        start = self._start(picture)

        def estimate(noisy: Tensor, t: Tensor) -> Tensor:
            return denoiser.denoise(noisy, condition, t)

        if settings.estimator == "regression":
            # Variant 6: the same network, shown no noise, asked for x_0 itself.
            t = torch.full((len(picture),), settings.denoiser.steps, device=picture.device)
            x = estimate(torch.zeros_like(start), t)
        elif settings.sampler == "ddpm":
            generator = torch.Generator().manual_seed(settings.seed + 1)
            x = denoiser.schedule.ddpm(estimate, start, generator, shared_noise=True)
        else:
            x = denoiser.schedule.ddim(estimate, start, settings.sampling_steps, settings.clip)
        planes, camera = self.normalizer.denormalise(x)
        return SampledTriplane(planes, orthonormalize_camera(camera))

    def render(
        self, drawn: SampledTriplane, size: tuple[int, int], camera: Tensor | None = None
    ) -> Rendering:
        """Pictures and depth of what was drawn, from its own camera or another (B, 25); see `render`.

        Some rows of the picture at a time: memory does not grow with the picture.
        """
        where = drawn.camera if camera is None else camera
        height, width = size
        pixels = torch.arange(height * width).reshape(size)
        parts = [
            render(
                drawn.planes,
                self.decoder,
                where,
                self.config.planes.half_side,
                self.config.render,
                size,
                pixels=rows,
            )
            for rows in pixels.split(max(1, RAYS // width))
        ]
        return Rendering(
            colour=torch.cat([part.colour for part in parts], dim=2),
            depth=torch.cat([part.depth for part in parts], dim=2),
            opacity=torch.cat([part.opacity for part in parts], dim=2),
            weights=torch.cat([part.weights for part in parts], dim=1),
            edges=torch.cat([part.edges for part in parts], dim=1),
        )

    def _start(self, picture: Tensor) -> Tensor:
        """x_T: the same noise for every face, so that a photograph's prior depends on nothing else.

        NOTE(paper): cooler than it was learnt, if so set: what a barely trained network does not take out of
        noise of full strength stays visible in the face.
        """
        drawn = self.config.denoiser
        shape = (1, drawn.components + NUMBERS, drawn.side, drawn.side)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(self.config.seed))
        return (self.config.temperature * noise).to(picture).expand(len(picture), -1, -1, -1)


def orthonormalize_camera(numbers: Tensor) -> Tensor:
    """(B, 25) numbers that a network drew -> the nearest thing to a camera: its axes at right angles.

    Gram-Schmidt, beginning with the direction it looks in.
    """
    extrinsics, intrinsics = unpack_camera(numbers)
    forward = F.normalize(extrinsics[:, :3, 2], dim=1)
    down = extrinsics[:, :3, 1]
    down = F.normalize(down - (down * forward).sum(dim=1, keepdim=True) * forward, dim=1)
    right = torch.linalg.cross(down, forward)
    top = torch.stack([right, down, forward, extrinsics[:, :3, 3]], dim=2)  # (B, 3, 4)
    last = numbers.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(len(numbers), 1, 4)
    lens = torch.cat(
        [intrinsics[:, :2], intrinsics.new_tensor([0.0, 0.0, 1.0]).expand(len(numbers), 1, 3)], dim=1
    )
    return pack_camera(torch.cat([top, last], dim=1), lens)

"""From a dark image to the rendering and the depth that condition its enhancement (§2, §3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from lumiface.core.settings import Settings
from lumiface.geometry.camera import CAMERA_LENGTH, pack_camera, unpack_camera
from lumiface.methods.prior3d.denoiser import Denoiser, DenoiserConfig
from lumiface.methods.prior3d.plane_normalizer import TriplaneNormalizer
from lumiface.methods.prior3d.render import RenderConfig, Rendering, render
from lumiface.methods.prior3d.triplane import PlaneDecoder, TriPlaneConfig

RAYS = 2048
"""Rays of one image that are rendered at once."""


class PriorConfig(Settings):
    """The configuration of a 3D prior; stored in every checkpoint."""

    old_names: ClassVar[Mapping[str, str]] = {"drawn_by": "estimator", "draw_steps": "sampling_steps"}

    planes: TriPlaneConfig = Field(default=TriPlaneConfig(), description="the lifter's tri-plane and decoder")
    denoiser: DenoiserConfig = Field(default=DenoiserConfig(), description="the denoising network")
    render: RenderConfig = Field(default=RenderConfig(), description="samples per ray")
    estimator: Literal["diffusion", "regression"] = Field(
        default="diffusion", description="diffusion: the paper's; regression: variant 6 of its ablation"
    )
    sampler: Literal["ddim", "ddpm"] = Field(
        default="ddim",
        description="ddim: few steps; ddpm: the paper's equation 4, all steps, a hundred times slower",
    )
    sampling_steps: int = Field(default=10, ge=1, description="DDIM steps per tri-plane")
    temperature: float = Field(
        default=1.0,
        ge=0,
        description="standard deviation of the initial noise; below 1: samples closer to the mean",
    )
    clip: float | None = Field(
        default=6.0,
        gt=0,
        description="estimates of x_0 are clamped to ± this value; null: never, the paper's",
    )
    seed: int = Field(default=0, ge=0, description="seed of the initial noise, which all faces share")

    @model_validator(mode="after")
    def _require_matching_sizes(self) -> Self:
        if self.planes.side != self.denoiser.side:
            raise ValueError(
                f"denoiser: generates planes of {self.denoiser.side}² texels, "
                f"the decoder reads {self.planes.side}²"
            )
        if self.denoiser.components > 3 * self.planes.channels:
            raise ValueError(f"denoiser.components: the planes have {3 * self.planes.channels} channels")
        if self.estimator == "regression" and self.denoiser.predicts == "noise":
            raise ValueError("estimator: a regression has no noise to predict; set denoiser.predicts: clean")
        return self


@dataclass(frozen=True, slots=True, eq=False)
class SampledTriplane:
    """The prior's sample for an image: `planes` (B, 3, C, S, S) and their `camera` (B, 25)."""

    planes: Tensor
    camera: Tensor


class Prior(nn.Module):
    """A dark image -> a tri-plane of the same face in normal light, and renderings of it."""

    old_child_names: ClassVar[dict[str, str]] = {"scale": "normalizer"}

    def __init__(self, config: PriorConfig) -> None:
        super().__init__()
        self.config = config
        self.denoiser = Denoiser(config.denoiser)
        self.decoder = PlaneDecoder(config.planes)
        self.normalizer = TriplaneNormalizer(
            config.planes.channels, config.planes.side, config.denoiser.components
        )

    def forward(self, noisy: Tensor, image: Tensor, t: Tensor) -> Tensor:
        """The denoiser alone, as training calls it: (x_t, I, t) -> x_0 or ε, as `denoiser.predicts` says."""
        return self.denoiser(noisy, image, t)

    def sample(self, image: Tensor) -> SampledTriplane:
        """Sample each face's tri-plane and camera; deterministic, and independent of the rest of the batch.

        Args:
            image: (B, 3, H, W) in [0, 1].
        """
        settings, denoiser, predicts = self.config, self.denoiser, self.config.denoiser.predicts
        condition = denoiser.condition(image)
        start = self._initial_noise(image)

        def estimate(noisy: Tensor, t: Tensor) -> Tensor:
            return denoiser.denoise(noisy, condition, t)

        if settings.estimator == "regression":
            # Variant 6: the same network predicts x_0 from an input of zeros.
            t = torch.full((len(image),), settings.denoiser.steps, device=image.device)
            x = estimate(torch.zeros_like(start), t)
        elif settings.sampler == "ddpm":
            generator = torch.Generator().manual_seed(settings.seed + 1)
            x = denoiser.schedule.ddpm(
                estimate, start, generator, predicts=predicts, clip=settings.clip, shared_noise=True
            )
        else:
            x = denoiser.schedule.ddim(
                estimate, start, settings.sampling_steps, settings.clip, predicts=predicts
            )
        planes, camera = self.normalizer.denormalise(x)
        return SampledTriplane(planes, orthonormalize_camera(camera))

    def render(
        self, triplane: SampledTriplane, size: tuple[int, int], camera: Tensor | None = None
    ) -> Rendering:
        """Render a sample from its own camera or another one (B, 25); see `render`.

        Some rows of the image at a time: memory does not grow with the image.
        """
        view = triplane.camera if camera is None else camera
        height, width = size
        pixels = torch.arange(height * width).reshape(size)
        strips = [
            render(
                triplane.planes,
                self.decoder,
                view,
                self.config.planes.half_side,
                self.config.render,
                size,
                pixels=rows,
            )
            for rows in pixels.split(max(1, RAYS // width))
        ]
        return Rendering(
            colour=torch.cat([strip.colour for strip in strips], dim=2),
            depth=torch.cat([strip.depth for strip in strips], dim=2),
            opacity=torch.cat([strip.opacity for strip in strips], dim=2),
            weights=torch.cat([strip.weights for strip in strips], dim=1),
            bin_edges=torch.cat([strip.bin_edges for strip in strips], dim=1),
        )

    def _initial_noise(self, image: Tensor) -> Tensor:
        """x_T: the same noise for every face, so that the prior of an image depends on the image alone.

        NOTE(paper): scaled by `temperature`, 1 in training: a briefly trained network leaves noise of full
        strength visible in the face.
        """
        size = self.config.denoiser
        shape = (1, size.components + CAMERA_LENGTH, size.side, size.side)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(self.config.seed))
        return (self.config.temperature * noise).to(image).expand(len(image), -1, -1, -1)


def orthonormalize_camera(numbers: Tensor) -> Tensor:
    """(B, 25) numbers predicted by a network -> a valid camera with orthonormal axes.

    Gram-Schmidt, beginning with the viewing direction.
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

"""The whole method: a 3D prior of a dark face, sampled by diffusion, conditions the student (§3, Fig. 1)."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings
from lumiface.geometry.camera import unpack_camera
from lumiface.methods.prior3d.enhancer import Enhancer, EnhancerConfig
from lumiface.methods.prior3d.prior import Prior, PriorConfig, SampledTriplane


class Prior3DConfig(Settings):
    """The configuration of a network; stored in every checkpoint."""

    old_names: ClassVar[Mapping[str, str]] = {"lead_side": "prior_size"}

    prior: PriorConfig | None = Field(
        default=PriorConfig(), description="the 3D prior; null: variant 5 of the ablation, without a prior"
    )
    enhancer: EnhancerConfig = Field(default=EnhancerConfig(), description="the student")
    prior_size: int = Field(
        default=128, ge=16, description="height and width of the prior's rendering and depth map, pixels"
    )

    @property
    def scale(self) -> int:
        """Size of the output over the size of the input."""
        return 1


@dataclass(frozen=True, slots=True, eq=False)
class PriorMaps:
    """The 3D prior of an image as the enhancer receives it.

    Attributes:
        rendering: T (B, 3, h, h) in [0, 1], the face in normal light.
        depth: D (B, 1, h, h) in [0, 1]: 1 at the front of the planes' box, 0 at its back.
        triplane: planes and camera, for further views; None for a network without a prior.
    """

    rendering: Tensor
    depth: Tensor
    triplane: SampledTriplane | None


class Prior3D(nn.Module):
    """A dark, square, aligned image of a face -> the same in normal light.

    NOTE(paper): variant 5 has no prior; the paper does not specify the input of its fusion modules. Here they
    receive zeros as rendering and depth: the network stays the same, only the prior is missing.

    Shape: (B, 3, H, W) in [0, 1] -> the same.
    """

    def __init__(self, config: Prior3DConfig) -> None:
        super().__init__()
        self.config = config
        self.prior = Prior(config.prior) if config.prior is not None else None
        self.enhancer = Enhancer(config.enhancer)

    def forward(self, image: Tensor) -> Tensor:
        prior = self.predict_prior(image)
        return self.enhancer(image, prior.rendering, prior.depth)

    def enhance_frame(
        self, image: Tensor, before: SampledTriplane | None, carried: float
    ) -> tuple[Tensor, SampledTriplane]:
        """One face of a video, (1, 3, H, W), with the 3D prior carried on from the frame before.

        The paper leaves video to future work. A tri-plane is the face itself, whatever the pose, so those of
        the frames before are averaged exponentially; the camera is each frame's own, since the head moves.

        Args:
            before: the tri-plane of the frame before, as this returned it; None: there is none.
            carried: weight of that one, 0 to below 1; 0: every frame by itself.

        Returns:
            The face in normal light, and the tri-plane for the next frame.

        Raises:
            ValueError: this network has no prior.
        """
        if self.prior is None:
            raise ValueError("this network was trained without a prior: there is nothing to carry")
        triplane = self.prior.sample(image)
        if before is not None:
            planes = carried * before.planes + (1.0 - carried) * triplane.planes
            triplane = SampledTriplane(planes, triplane.camera)
        maps = self.render_prior(triplane, triplane.camera)
        return self.enhancer(image, maps.rendering, maps.depth), triplane

    @property
    def sequential_calls(self) -> int:
        """How often the denoiser runs for one image, one call after the other."""
        settings = None if self.prior is None else self.prior.config
        if settings is None or settings.estimator == "regression":
            return 1
        return settings.denoiser.steps if settings.sampler == "ddpm" else settings.sampling_steps

    @contextmanager
    def fewer_calls(self, number: int) -> Generator[None]:
        """Within, the denoiser runs `number` times only: to measure what one call costs, not for pictures."""
        if self.prior is None:
            raise ValueError("this network was trained without a prior: it has no denoiser")
        settings = self.prior.config
        self.prior.config = settings.model_copy(update={"sampler": "ddim", "sampling_steps": number})
        try:
            yield
        finally:
            self.prior.config = settings

    def predict_prior(self, image: Tensor) -> PriorMaps:
        """The prior of images (B, 3, H, W); deterministic."""
        size = self.config.prior_size
        if self.prior is None:
            zeros = image.new_zeros(len(image), 4, size, size)
            return PriorMaps(zeros[:, :3], zeros[:, 3:], None)
        triplane = self.prior.sample(image)
        return self.render_prior(triplane, triplane.camera)

    def render_prior(self, triplane: SampledTriplane, camera: Tensor, size: int | None = None) -> PriorMaps:
        """The same face from `camera` (B, 25) at size x size pixels (default: `prior_size`).

        Raises:
            ValueError: this network has no prior.
        """
        if self.prior is None:
            raise ValueError("this network was trained without a prior: there is nothing to render")
        size = size or self.config.prior_size
        half = self.prior.config.planes.half_side
        rendering = self.prior.render(triplane, (size, size), camera)
        distance = unpack_camera(camera)[0][:, :3, 3].norm(dim=1)[:, None, None, None]  # to the head's centre
        nearness = 0.5 - (rendering.depth - distance) / (2.0 * half)
        return PriorMaps(rendering.colour.clamp(0.0, 1.0), nearness.clamp(0.0, 1.0), triplane)

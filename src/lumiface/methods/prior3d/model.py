"""The whole method: a dark face, its 3D prior drawn by diffusion, the student that both lead (§3, Fig. 1)."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field
from torch import Tensor, nn

from lumiface.core.settings import Settings
from lumiface.geometry.camera import unpack_camera
from lumiface.methods.prior3d.enhancer import Enhancer, EnhancerConfig
from lumiface.methods.prior3d.prior import Prior, PriorConfig, SampledTriplane


class Prior3DConfig(Settings):
    """What defines one network; stored in every checkpoint."""

    prior: PriorConfig | None = Field(
        default=PriorConfig(), description="what leads; none: variant 5 of the ablation, which nothing leads"
    )
    enhancer: EnhancerConfig = Field(default=EnhancerConfig(), description="the student")
    prior_size: int = Field(
        default=128, ge=16, description="side of the rendering and the depth map that lead, pixels"
    )

    @property
    def scale(self) -> int:
        """Side of what comes out over the side of what goes in."""
        return 1


@dataclass(frozen=True, slots=True, eq=False)
class PriorMaps:
    """What leads the enhancement of a photograph.

    Attributes:
        rendering: T (B, 3, h, h) in [0, 1], the face in normal light.
        depth: D (B, 1, h, h) in [0, 1]: 1 at the front of the box that the planes span, 0 at its back.
        drawn: planes and camera, from which more can be seen; None where nothing leads.
    """

    rendering: Tensor
    depth: Tensor
    drawn: SampledTriplane | None


class Prior3D(nn.Module):
    """A dark, square, aligned photograph of a face -> the same in normal light.

    NOTE(paper): variant 5 has no prior; the paper does not say what its modules are then given. Here an empty
    rendering and depth: the network stays the same, and nothing but the prior is missing.

    Shape: (B, 3, H, W) in [0, 1] -> the same.
    """

    def __init__(self, config: Prior3DConfig) -> None:
        super().__init__()
        self.config = config
        self.prior = Prior(config.prior) if config.prior is not None else None
        self.enhancer = Enhancer(config.enhancer)

    def forward(self, picture: Tensor) -> Tensor:
        lead = self.predict_prior(picture)
        return self.enhancer(picture, lead.rendering, lead.depth)

    def predict_prior(self, picture: Tensor) -> PriorMaps:
        """Draw what leads (B, 3, H, W) photographs; the same photograph always gets the same."""
        side = self.config.prior_size
        if self.prior is None:
            nothing = picture.new_zeros(len(picture), 4, side, side)
            return PriorMaps(nothing[:, :3], nothing[:, 3:], None)
        drawn = self.prior.sample(picture)
        return self.render_prior(drawn, drawn.camera)

    def render_prior(self, drawn: SampledTriplane, camera: Tensor, side: int | None = None) -> PriorMaps:
        """The same face from `camera` (B, 25), `side` pixels square (default: `prior_size`).

        Raises:
            ValueError: this network has no prior.
        """
        if self.prior is None:
            raise ValueError("this network was trained without a prior: nothing can be seen")
        side = side or self.config.prior_size
        half = self.prior.config.planes.half_side
        rendering = self.prior.render(drawn, (side, side), camera)
        away = unpack_camera(camera)[0][:, :3, 3].norm(dim=1)[:, None, None, None]  # of the head's middle
        nearness = 0.5 - (rendering.depth - away) / (2.0 * half)
        return PriorMaps(rendering.colour.clamp(0.0, 1.0), nearness.clamp(0.0, 1.0), drawn)

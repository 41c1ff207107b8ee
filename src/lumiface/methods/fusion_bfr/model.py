"""Blind restoration by codes that look at the picture and a generator that they lead (Fig. 1, Fig. 3)."""

from __future__ import annotations

from typing import Self

import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from lumiface.core.settings import Settings
from lumiface.methods.fusion_bfr.encoder import Encoder, EncoderConfig
from lumiface.methods.fusion_bfr.fusion import SFT, FeatureFusion
from lumiface.methods.fusion_bfr.generator import Generator, GeneratorConfig
from lumiface.methods.fusion_bfr.refine import Told, refine


class FusionBFRConfig(Settings):
    """What defines one network; stored in every checkpoint."""

    encoder: EncoderConfig = Field(default=EncoderConfig(), description="the encoder-decoder")
    generator: GeneratorConfig = Field(default=GeneratorConfig(), description="the generative prior")
    fusions: int = Field(default=3, ge=0, le=5, description="feature fusion blocks; 0: variant without FFB")
    heads: int = Field(default=8, ge=1, description="of each attention")
    fidelity: float = Field(default=1.0, ge=0.0, le=1.0, description="share of the input in what is led")

    @model_validator(mode="after")
    def _alike(self) -> Self:
        if self.encoder.resolution != self.generator.resolution:
            raise ValueError(
                f"encoder: works at {self.encoder.resolution} pixels, "
                f"the generator at {self.generator.resolution}"
            )
        if self.encoder.latent != self.generator.latent:
            raise ValueError(
                f"encoder: tells {self.encoder.latent} numbers, the generator's codes have "
                f"{self.generator.latent}"
            )
        return self

    @property
    def scale(self) -> int:
        """Side of what comes out over the side of what goes in."""
        return 1


class FusionBFR(nn.Module):
    """A damaged, square, aligned face -> the same face restored.

    Pictures of another size are brought to the network's resolution, and back.

    Attributes:
        fidelity: share of the input, 0 to 1; may be set at any time.

    Shape: (B, 3, H, W) in [0, 1] and, where each face has a fidelity of its own, (B,) -> (B, 3, H, W).
    """

    def __init__(self, config: FusionBFRConfig) -> None:
        super().__init__()
        self.config = config
        self.fidelity = config.fidelity
        drawn, seen = config.generator, config.encoder
        self.encoder = Encoder(seen)
        self.generator = Generator(drawn)
        latent = drawn.latent
        self.to_codes = nn.Sequential(
            nn.Linear(latent, latent), nn.LeakyReLU(0.2), nn.Linear(latent, drawn.codes * latent)
        )
        coarse = seen.sides[: config.fusions]
        self.fuse = nn.ModuleList(
            FeatureFusion(latent, seen.channels_at(side), side, config.heads) for side in coarse
        )
        self.sft = nn.ModuleList(SFT(drawn.channels_at(side), seen.channels_at(side)) for side in seen.sides)

    def forward(self, picture: Tensor, fidelity: Tensor | None = None) -> Tensor:
        side = self.config.generator.resolution
        size = picture.shape[-2:]
        share = self.fidelity if fidelity is None else fidelity
        restored = self.restore(_resized(picture, (side, side)), share)
        return _resized(restored, (size[0], size[1]))

    def restore(self, picture: Tensor, fidelity: float | Tensor) -> Tensor:
        """The same at the network's own resolution, at another share of the input.

        Args:
            picture: (B, 3, R, R) in [0, 1].
            fidelity: 0: the generator alone, led by its codes; 1: as the paper has it; one, or (B,).
        """
        codes, features = self.embed(picture)
        return self.decode(codes, features, fidelity)

    def refine(self, picture: Tensor, steps: int, *, detail: int, tell: Told | None = None) -> Tensor:
        """One face (1, 3, H, W) restored with codes sought for it: slower, nearer to the photograph.

        Args:
            picture: in [0, 1].
            steps: of the search; see `refine`.
            detail: side in pixels that holds all detail of the face.
            tell: hears of each step.
        """
        side = self.config.generator.resolution
        whole = _resized(picture, (side, side))
        drawn, _ = refine(self, whole, steps, detail=detail, fidelity=self.fidelity, tell=tell)
        return _resized(drawn, (picture.shape[-2], picture.shape[-1]))

    def embed(self, picture: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(B, 3, R, R) in [0, 1] -> the refined codes (B, n, latent) and the features from coarse to fine."""
        latent, features = self.encoder(2.0 * picture - 1.0)
        # NOTE(paper): the codes are told as what they differ from the generator's mean code.
        codes = self.generator.w_avg + self.to_codes(latent).unflatten(1, (self.config.generator.codes, -1))
        for block, seen in zip(self.fuse, features, strict=False):
            codes = block(codes, seen)
        return codes, features

    def decode(self, codes: Tensor, features: list[Tensor], fidelity: float | Tensor) -> Tensor:
        """Codes and features -> (B, 3, R, R) in about [0, 1], without any noise: the same face every time."""
        share = fidelity[:, None, None, None] if isinstance(fidelity, Tensor) else fidelity
        by_side = {seen.shape[-1]: level for level, seen in enumerate(features)}

        def hook(generated: Tensor, side: int) -> Tensor:
            if side not in by_side:  # the 4x4 scale has no features
                return generated
            level = by_side[side]
            return self.sft[level](generated, features[level], share)

        return 0.5 * (self.generator.synthesise(codes, self.generator.zero_noise(), hook) + 1.0)


def _resized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    if picture.shape[-2:] == size:
        return picture
    return F.interpolate(picture, size=size, mode="bilinear", align_corners=False, antialias=True)

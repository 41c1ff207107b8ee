"""Blind restoration: latents that attend to the image, and a generator conditioned on it (Fig. 1, 3)."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from lumiface.blocks.sizes import resize_bilinear
from lumiface.core.settings import Settings
from lumiface.methods.fusion_bfr.encoder import Encoder, EncoderConfig
from lumiface.methods.fusion_bfr.fusion import SFT, FeatureFusion
from lumiface.methods.fusion_bfr.generator import Generator, GeneratorConfig
from lumiface.methods.fusion_bfr.refine import Progress, optimize_latents


class FusionBFRConfig(Settings):
    """The configuration of a network; stored in every checkpoint."""

    encoder: EncoderConfig = Field(default=EncoderConfig(), description="the encoder-decoder")
    generator: GeneratorConfig = Field(default=GeneratorConfig(), description="the generative prior")
    fusions: int = Field(default=3, ge=0, le=5, description="feature fusion blocks; 0: variant without FFB")
    heads: int = Field(default=8, ge=1, description="heads of each attention")
    fidelity: float = Field(
        default=1.0, ge=0.0, le=1.0, description="weight of the image features in the modulated channels"
    )

    @model_validator(mode="after")
    def _require_matching_parts(self) -> Self:
        if self.encoder.resolution != self.generator.resolution:
            raise ValueError(
                f"encoder: works at {self.encoder.resolution} pixels, "
                f"the generator at {self.generator.resolution}"
            )
        if self.encoder.latent != self.generator.latent:
            raise ValueError(
                f"encoder: predicts latents of length {self.encoder.latent}, the generator's have "
                f"{self.generator.latent}"
            )
        return self

    @property
    def scale(self) -> int:
        """Size of the output over the size of the input."""
        return 1


class FusionBFR(nn.Module):
    """A degraded, square, aligned face -> the same face restored.

    Images of another size are resized to the network's resolution, and back.

    Attributes:
        fidelity: weight of the image features, 0 to 1; may be set at any time.

    Shape: (B, 3, H, W) in [0, 1] and, where the faces differ in fidelity, (B,) -> (B, 3, H, W).
    """

    old_child_names: ClassVar[dict[str, str]] = {"to_codes": "to_latents", "lead": "sft"}

    def __init__(self, config: FusionBFRConfig) -> None:
        super().__init__()
        self.config = config
        self.fidelity = config.fidelity
        generator, encoder = config.generator, config.encoder
        self.encoder = Encoder(encoder)
        self.generator = Generator(generator)
        latent = generator.latent
        self.to_latents = nn.Sequential(
            nn.Linear(latent, latent), nn.LeakyReLU(0.2), nn.Linear(latent, generator.num_latents * latent)
        )
        self.fuse = nn.ModuleList(
            FeatureFusion(latent, encoder.channels_at(size), size, config.heads)
            for size in encoder.resolutions[: config.fusions]
        )
        self.sft = nn.ModuleList(
            SFT(generator.channels_at(size), encoder.channels_at(size)) for size in encoder.resolutions
        )

    def forward(self, image: Tensor, fidelity: Tensor | None = None) -> Tensor:
        resolution = self.config.generator.resolution
        height, width = image.shape[-2:]
        restored = self.restore(
            resize_bilinear(image, (resolution, resolution)), self.fidelity if fidelity is None else fidelity
        )
        return resize_bilinear(restored, (height, width))

    def restore(self, image: Tensor, fidelity: float | Tensor) -> Tensor:
        """The same at the network's own resolution and another fidelity.

        Args:
            image: (B, 3, R, R) in [0, 1].
            fidelity: 0: the generator from the latents alone; 1: as in the paper; a number, or (B,).
        """
        latents, features = self.embed(image)
        return self.decode(latents, features, fidelity)

    def refine(
        self, image: Tensor, steps: int, *, effective_resolution: int, progress: Progress | None = None
    ) -> Tensor:
        """One face (1, 3, H, W) restored with latents optimised for it: slower, closer to the image.

        Args:
            image: in [0, 1].
            steps: of the optimisation; see `optimize_latents`.
            effective_resolution: size in pixels that holds all detail of the face.
            progress: called after each step.
        """
        resolution = self.config.generator.resolution
        output, _ = optimize_latents(
            self,
            resize_bilinear(image, (resolution, resolution)),
            steps,
            effective_resolution=effective_resolution,
            fidelity=self.fidelity,
            progress=progress,
        )
        return resize_bilinear(output, (image.shape[-2], image.shape[-1]))

    def embed(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(B, 3, R, R) in [0, 1] -> the refined W+ (B, n, latent) and the features from coarse to fine."""
        latent, features = self.encoder(2.0 * image - 1.0)
        # NOTE(paper): the network predicts the difference of the latents from the generator's mean latent.
        offsets = self.to_latents(latent).unflatten(1, (self.config.generator.num_latents, -1))
        latents = self.generator.w_avg + offsets
        for block, scale in zip(self.fuse, features, strict=False):
            latents = block(latents, scale)
        return latents, features

    def decode(self, latents: Tensor, features: list[Tensor], fidelity: float | Tensor) -> Tensor:
        """Latents and features -> (B, 3, R, R) in about [0, 1], without noise: deterministic."""
        weight = fidelity[:, None, None, None] if isinstance(fidelity, Tensor) else fidelity
        levels = {scale.shape[-1]: level for level, scale in enumerate(features)}

        def modulate(generated: Tensor, resolution: int) -> Tensor:
            if resolution not in levels:  # the 4x4 scale has no features
                return generated
            level = levels[resolution]
            return self.sft[level](generated, features[level], weight)

        return 0.5 * (self.generator.synthesise(latents, self.generator.zero_noise(), modulate) + 1.0)

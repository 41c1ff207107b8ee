"""Training the StyleGAN2 generator as the decoder of an autoencoder, before adversarial training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn
from torch.func import functional_call

from lumiface.core.seeds import StepRandom
from lumiface.data.training.face_tensor import sample_batch
from lumiface.registry import WorkingSizes, build, build_recipe
from lumiface.training.checkpoint import TrainedOn
from lumiface.training.compiled import maybe_compile
from lumiface.training.config import AdversarialRun
from lumiface.training.context import TaskContext
from lumiface.training.task import LossTerms, TrainState
from lumiface.training.tasks.adversarial import AdversarialTask, frozen
from lumiface.training.tasks.sample_distance import SampleDistance

NUM_PREVIEW = 8
BATCH = 50
"""Batch size in validation."""


class AutoencoderRun(AdversarialRun):
    """A run that trains the generator to reconstruct faces."""

    old_names = {"compare": "num_fid_samples", "fit": "num_fit_samples"}

    num_fid_samples: int = Field(
        default=500, ge=10, description="number of faces sampled in validation for the Fréchet distance"
    )
    num_fit_samples: int = Field(
        default=4000, ge=2, description="number of faces whose codes the mapping network is fitted to"
    )


class AutoencoderTask(AdversarialTask[AutoencoderRun]):
    """Encoder and generator as one network; and a discriminator, where the recipe has an adversarial loss,
    whose gradient reaches the generator after the recipe's warm-up.

    The generator is the network that ships, and it is monitored as in its own task: by new faces that it
    synthesises.
    """

    monitor = "minus_fd_squeezenet"
    method = "stylegan2"
    generator_name = "autoencoder"
    trained_on: TrainedOn = "benchmark"
    sizes: WorkingSizes | None = None

    def __init__(self, config: AutoencoderRun, context: TaskContext) -> None:
        self.config, self.device = config, context.device
        self.rank, self.count = context.rank, context.per_rank_batch(config.batch)
        torch.manual_seed(config.seed)
        self.generator: Any = build(config.component, config.network)
        context.init_component(self.generator, self.method)
        self.recipe: Any = build_recipe(config.component, config.recipe, config.seed).to(context.device)
        self.network: nn.Module = self.recipe.assemble(self.generator)
        self.discriminator: nn.Module | None = self.recipe.build_discriminator(self.generator)
        context.init_discriminator(self.discriminator, config.discriminator_from, self.recipe.gan)
        gan = self.recipe.gan
        gan.sample_transforms = maybe_compile(
            gan.sample_transforms, config.compile, context.device, part=True
        )
        side = self.generator.config.resolution
        self.faces = context.face_tensor(config.train, side=side).to(context.device)
        self.held_out = context.face_tensor([config.validate_on], limit=NUM_PREVIEW, side=side)
        self.held_out = self.held_out.to(context.device)
        self.sample_distance = SampleDistance(self.faces, config.num_fid_samples, config.seed)
        self.num_samples = len(self.faces)
        context.log(f"{self.num_samples} faces")

    @property
    def model_config(self) -> BaseModel:
        return self.generator.config

    def training_steps(self, state: TrainState, step: int) -> Iterator[LossTerms]:
        count = self.count
        random = StepRandom(self.config.seed, step, self.rank)
        face = 2.0 * sample_batch(self.faces, count, random.rng) - 1.0
        generator = random.generator(self.device)
        noise = self.recipe.sample_noise(count, self.generator.config.latent, generator)
        output, code = state.models["autoencoder"](face, noise)
        warm = step >= self.recipe.gan.config.discriminator_warmup_steps
        discriminator = state.models.get("discriminator") if warm else None
        with frozen(self.discriminator):
            terms = self.recipe(output.float(), face, code.float(), discriminator, generator)
        yield LossTerms("autoencoder", terms, count)
        yield from self.discriminator_steps(state, face, output, step, generator)

    @torch.no_grad()
    def validate(self, state: TrainState) -> tuple[float, Tensor]:
        """New faces of the EMA generator against as many training faces; images: held-out faces, their
        reconstructions, and new faces."""
        weights = state.ema["autoencoder"].weights
        self._fit_mapping(weights)
        reconstructed, _ = self._reconstruct(weights, self.held_out)
        distance, sampled = self.sample_distance(self.generator, self.weights(state), NUM_PREVIEW)
        target = self.held_out.float() / 255.0
        images = [target.cpu(), (0.5 * (reconstructed + 1.0)).clamp(0.0, 1.0).cpu(), sampled]
        return -distance, torch.cat(images)

    def _fit_mapping(self, weights: dict[str, Tensor]) -> None:
        """Fit the mapping network to the codes of training faces, in the generator and in the EMA weights."""
        chosen = torch.linspace(0, len(self.faces) - 1, min(self.config.num_fit_samples, len(self.faces)))
        parts = self.faces[chosen.long().to(self.device)].split(BATCH)
        codes = torch.cat([self._reconstruct(weights, part)[1] for part in parts])
        self.generator.fit_mapping(codes)
        for name, value in self.generator.state_dict().items():
            if name.startswith("mapping.") or name == "w_avg":
                weights[f"generator.{name}"].copy_(value)

    def _reconstruct(self, weights: dict[str, Tensor], faces: Tensor) -> tuple[Tensor, Tensor]:
        """Faces (N, 3, R, R) uint8 -> their reconstructions in [-1, 1], and their codes."""
        noise = torch.zeros(len(faces), self.generator.config.latent, device=self.device)
        images = 2.0 * (faces.float() / 255.0) - 1.0
        output, codes = functional_call(self.network, weights, (images, noise))
        return output.float(), codes.float()

    def weights(self, state: TrainState) -> dict[str, Tensor]:
        """The EMA generator, without the encoder."""
        return {
            name.removeprefix("generator."): value
            for name, value in state.ema["autoencoder"].weights.items()
            if name.startswith("generator.")
        }

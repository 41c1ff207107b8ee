"""Training the StyleGAN2 generator: generator and discriminator in alternation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn

from lumiface.core.seeds import StepRandom
from lumiface.data.training.face_tensor import sample_batch
from lumiface.registry import WorkingSizes, build, build_recipe, find_spec
from lumiface.training.checkpoint import TrainedOn
from lumiface.training.compiled import maybe_compile
from lumiface.training.config import AdversarialRun, ComponentRun
from lumiface.training.context import TaskContext
from lumiface.training.task import LossTerms, TrainState
from lumiface.training.tasks.adversarial import frozen
from lumiface.training.tasks.example import Example
from lumiface.training.tasks.sample_distance import SampleDistance

NUM_PREVIEW = 15


class StyleGAN2Run(AdversarialRun):
    """A run that trains the generative prior of blind restoration."""

    old_names = {"compare": "num_fid_samples"}

    num_fid_samples: int = Field(
        default=500, ge=10, description="number of faces sampled in validation for the Fréchet distance"
    )


class StyleGAN2Task:
    """Generator and discriminator; monitored by the Fréchet distance of sampled to training faces.

    The score is its negative, so that higher is better, on SqueezeNet's features (`fd_squeezenet`): only for
    comparisons along one run.
    """

    monitor = "minus_fd_squeezenet"
    trained_on: TrainedOn = "benchmark"
    sizes: WorkingSizes | None = None

    def __init__(self, config: StyleGAN2Run, context: TaskContext) -> None:
        self.config, self.device = config, context.device
        self.rank, self.count = context.rank, context.per_rank_batch(config.batch)
        self.method = find_spec(config.component)[0].name
        torch.manual_seed(config.seed)
        self.generator: Any = build(config.component, config.network)
        context.init_component(self.generator, self.method)
        self.recipe: Any = build_recipe(config.component, config.recipe, config.seed).to(context.device)
        self.discriminator: nn.Module = self.recipe.build_discriminator(self.generator)
        context.init_discriminator(self.discriminator, config.discriminator_from, self.recipe)
        recipe = self.recipe
        recipe.sample_transforms = maybe_compile(
            recipe.sample_transforms, config.compile, context.device, part=True
        )
        self.sample_latents = maybe_compile(recipe.sample_latents, config.compile, context.device, part=True)
        side = self.generator.config.resolution
        self.faces = context.face_tensor(config.train, side=side).to(context.device)
        self.num_samples = len(self.faces)
        context.log(f"{self.num_samples} faces")
        self.sample_distance = SampleDistance(self.faces, config.num_fid_samples, config.seed)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        return {"generator": self.generator, "discriminator": self.discriminator}

    @property
    def model_config(self) -> BaseModel:
        return self.generator.config

    def optimizer(self, name: str, device: torch.device) -> torch.optim.Optimizer:
        # Rate and momenta are corrected for the steps of lazy regularisation (StyleGAN2, appendix B).
        recipe = self.recipe.config
        every = recipe.r1_every if name == "discriminator" else 0
        if name == "generator" and recipe.path_length:
            every = recipe.path_length_every
        ratio = every / (every + 1) if every else 1.0
        parameters = self.networks[name].parameters()
        return torch.optim.Adam(
            parameters, self.config.lr, betas=(0.0, 0.99**ratio), fused=device.type == "cuda"
        )

    def training_steps(self, state: TrainState, step: int) -> Iterator[LossTerms]:
        recipe, settings = self.recipe, self.recipe.config
        count = self.count
        random = StepRandom(self.config.seed, step, self.rank)
        generator = random.generator(self.device)
        discriminator = state.models["discriminator"]
        real = 2.0 * sample_batch(self.faces, count, random.rng) - 1.0

        with torch.no_grad():
            fake = self._synthesise(state, self._sample_latents(count, generator), generator)
        steps = recipe.discriminator_steps(discriminator, self.discriminator, real, fake, step, generator)
        for terms in steps:
            yield LossTerms("discriminator", terms, count)
        if step < settings.discriminator_warmup_steps:
            return

        latents = self._sample_latents(count, generator)
        self.generator.update_mean_latent(latents)
        fake = self._synthesise(state, latents, generator)
        with frozen(self.discriminator):
            terms = recipe.generator_loss(discriminator, fake, generator)
        yield LossTerms("generator", terms, count)
        if settings.path_length and step % settings.path_length_every == 0:
            latents = self._sample_latents(max(1, count // 2), generator)
            # In float32 and not compiled, as for R1: the loss needs a second derivative.
            fake = self.generator(latents, self.generator.sample_noise(len(latents), generator))
            yield LossTerms("generator", recipe.path_length_loss(fake, latents, generator), count)

    def validate(self, state: TrainState) -> tuple[float, Tensor]:
        """Faces of the EMA generator against as many training faces; images: some of them."""
        distance, images = self.sample_distance(self.generator, self.weights(state), NUM_PREVIEW)
        return -distance, images

    def weights(self, state: TrainState) -> dict[str, Tensor]:
        return state.ema["generator"].weights

    def state_dict(self) -> dict[str, Any]:
        return self.recipe.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.recipe.load_state_dict(state_dict)

    def _sample_latents(self, count: int, generator: torch.Generator) -> Tensor:
        return self.sample_latents(self.generator, count, generator)

    def _synthesise(self, state: TrainState, latents: Tensor, generator: torch.Generator) -> Tensor:
        noise = self.generator.sample_noise(len(latents), generator)
        return state.models["generator"](latents, noise)


def example(config: ComponentRun, network: Any) -> Example:
    """One z, no noise."""
    noise = [torch.zeros(1, 1, 1, 1)] * (network.num_latents - 1)
    return Example((torch.zeros(1, network.latent), noise), "synthesising one face")

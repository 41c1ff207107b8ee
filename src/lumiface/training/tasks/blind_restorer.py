"""Training the blind restorer: degraded faces, ground truth, and a pretrained generator as prior."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn
from torch.func import functional_call

from lumiface.core.errors import SettingError
from lumiface.core.seeds import StepRandom
from lumiface.core.settings import current_spelling, validate
from lumiface.data.training.face_tensor import sample_batch
from lumiface.imaging.quantize import quantize
from lumiface.metrics.lpips import LPIPS
from lumiface.registry import WorkingSizes, build, build_recipe
from lumiface.training.checkpoint import TrainedOn
from lumiface.training.compiled import maybe_compile
from lumiface.training.config import AdversarialRun
from lumiface.training.context import TaskContext
from lumiface.training.task import LossTerms, TrainState
from lumiface.training.tasks.adversarial import AdversarialTask, frozen
from lumiface.training.tasks.example import Example

NUM_PREVIEW = 8
BATCH = 10
"""Batch size in validation."""


class BlindRestorerRun(AdversarialRun):
    """A run that trains the blind restorer around a pretrained generator."""

    old_names = {"thaw": "train_generator"}

    prior: str | None = Field(
        description="the generator, by name or file, ours or an official StyleGAN2's (.pt, .pth); none: the "
        "ablation's variant without a prior"
    )
    train_generator: bool = Field(default=False, description="the pretrained generator is trained, too")
    validate_faces: int = Field(default=50, ge=1, description="number of validation faces")


class BlindRestorerTask(AdversarialTask[BlindRestorerRun]):
    """The restorer, and a discriminator where the recipe has an adversarial loss; the generator is frozen
    unless `train_generator` is set.

    Monitored by the negative of LPIPS (squeeze), so that higher is better: details from a prior cannot match
    the truth pixel by pixel.
    """

    monitor = "minus_lpips_squeeze"
    method = "fusion_bfr"
    generator_name = "restorer"
    trained_on: TrainedOn = "benchmark"

    def __init__(self, config: BlindRestorerRun, context: TaskContext) -> None:
        self.config, self.device = config, context.device
        self.rank, self.count = context.rank, context.per_rank_batch(config.batch)
        self.recipe: Any = context.place(build_recipe(config.component, config.recipe, config.seed))
        torch.manual_seed(config.seed)
        self.network = self._build_network(context)
        context.init_component(self.network, self.method)
        torch.manual_seed(config.seed)
        self.discriminator: nn.Module | None = self.recipe.build_discriminator(self.network.generator)
        context.init_discriminator(self.discriminator, config.discriminator_from, self.recipe.gan)
        side = self.network.config.generator.resolution
        self.sizes: WorkingSizes | None = WorkingSizes(side, side, side)
        self.faces = context.face_tensor(config.train, side=side).to(context.device)
        held_out = context.face_tensor([config.validate_on], limit=config.validate_faces, side=side)
        self.target = held_out.to(context.device).float() / 255.0
        self.degraded = self.recipe.degrade(self.target, torch.Generator().manual_seed(config.seed))
        self.lpips = LPIPS("squeeze").to(context.device)
        self.autocast = context.autocast_on_gpu
        self.degrade = maybe_compile(self.recipe.degrade, config.compile, context.device, part=True)
        self.losses = maybe_compile(self.recipe.forward, config.compile, context.device)
        gan = self.recipe.gan
        gan.sample_transforms = maybe_compile(
            gan.sample_transforms, config.compile, context.device, part=True
        )
        self.num_samples = len(self.faces)
        context.log(f"{self.num_samples} faces, {len(self.target)} validation faces")

    def _build_network(self, context: TaskContext) -> Any:
        """An untrained restorer around the pretrained generator."""
        config = self.config
        if config.prior is None:
            return build(config.component, config.network)
        prior = context.load_component(config.prior, "stylegan2")
        _require_agreement(prior.config, config)
        size = {"generator": prior.config.model_dump()}
        try:
            restorer: Any = build(config.component, config.network | size)
        except SettingError as error:
            made = prior.config
            raise SettingError(
                f"prior: {config.prior}: faces of {made.resolution} pixels from latents of length "
                f"{made.latent} do not fit ({error}); set `resolution` and `latent` of network.encoder and "
                "network.generator to these, choose another `component`, or name another prior"
            ) from error
        restorer.generator.load_state_dict(prior.state_dict())
        restorer.generator.requires_grad_(config.train_generator)
        return restorer

    @property
    def model_config(self) -> BaseModel:
        return self.network.config

    def training_steps(self, state: TrainState, step: int) -> Iterator[LossTerms]:
        count = self.count
        random = StepRandom(self.config.seed, step, self.rank)
        generator = random.generator(self.device)
        target = sample_batch(self.faces, count, random.rng)
        degraded = self.degrade(target, generator)
        fidelity = self.recipe.sample_fidelity(count, generator)
        output = state.models["restorer"](degraded, fidelity).float()
        # On a GPU the plain network, since the losses are compiled and in the run's precision as a whole.
        discriminator = state.models.get("discriminator") if self.device.type == "cpu" else self.discriminator
        with self.autocast(), frozen(self.discriminator):
            terms = self.losses(output, target, self.network.encoder, discriminator, generator)
        yield LossTerms("restorer", terms, count)
        yield from self.discriminator_steps(state, 2.0 * target - 1.0, 2.0 * output - 1.0, step, generator)

    @torch.inference_mode()
    def validate(self, state: TrainState) -> tuple[float, Tensor]:
        """The negative mean LPIPS; images: degraded faces, outputs, targets."""
        weights = state.ema["restorer"].weights
        restored = torch.cat(
            [
                quantize(functional_call(self.network, weights, (part,)).float())
                for part in self.degraded.split(BATCH)
            ]
        )
        distances = [
            self.lpips(output, target)
            for output, target in zip(restored.split(BATCH), self.target.split(BATCH), strict=True)
        ]
        images = torch.cat([faces[:NUM_PREVIEW] for faces in (self.degraded, restored, self.target)])
        return -float(torch.cat(distances).mean()), images.cpu()

    def weights(self, state: TrainState) -> dict[str, Tensor]:
        return state.ema["restorer"].weights


def _require_agreement(made: Any, config: BlindRestorerRun) -> None:
    """Refuse a prior that contradicts what the run says of its generator; the rest is taken from the prior.

    Args:
        made: the prior's configuration.

    Raises:
        SettingError: it does; the line names file, setting and mend.
    """
    stated = current_spelling(type(made), config.network.get("generator", {}))
    where = f"{config.component}: network.generator"
    wanted: Any = validate(type(made), made.model_dump() | stated, where)
    sizes = made.resolutions if wanted.resolution == made.resolution else []
    same_channels = all(wanted.channels_at(size) == made.channels_at(size) for size in sizes)
    for name in stated:
        value, found = getattr(wanted, name), getattr(made, name)
        if found != value and not (name in ("channel_base", "max_channels") and same_channels):
            raise SettingError(
                f"prior: {config.prior}: its {name} is {found}, network.generator.{name} is {value}; "
                "leave that setting out, or name another prior"
            )


def example(config: BlindRestorerRun, network: Any) -> Example:
    """One face at the generator's resolution."""
    side = network.generator.resolution
    return Example((torch.zeros(1, 3, side, side),), f"one {side}x{side} face")

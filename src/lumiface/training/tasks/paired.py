"""Training on pairs: a bright face is degraded by the method's recipe, and the network restores it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from lumiface.core.errors import SettingError
from lumiface.core.seeds import StepRandom
from lumiface.data.faults import Faults
from lumiface.data.training.face_set import load_faces
from lumiface.losses import IdentityLoss, l1_loss
from lumiface.metrics.lpips import LPIPS
from lumiface.registry import WorkingSizes, build, build_recipe, init_from_checkpoint, load_model
from lumiface.training.checkpoint import TrainedOn
from lumiface.training.compiled import maybe_compile
from lumiface.training.config import TrainConfig, network_scale, scale_factor
from lumiface.training.context import TaskContext
from lumiface.training.sampler import BatchSampler
from lumiface.training.task import LossTerms, TrainState
from lumiface.training.tasks.adversarial import frozen
from lumiface.training.tasks.example import Example
from lumiface.training.tasks.pair_validation import PairValidation

Loss = TypeVar("Loss", bound=nn.Module)

TRUSTED_SIZE_FACTOR = 1.5
"""A network is trusted with faces this many times as large as the largest that it was trained on."""


class PairedTask:
    """One network, one recipe, one loss: how every method is trained that maps a picture to a picture."""

    monitor = "psnr_y"

    def __init__(self, config: TrainConfig, context: TaskContext) -> None:
        self.config, self.method = config, config.method
        faces = context.preloaded
        if faces is None:
            paths = [context.path(path) for path in config.train]
            faces = load_faces(paths, context.device, context.log, context.skip_bad)
        self.recipe = build_recipe(config.method, config.recipe, config.seed + context.rank)
        torch.manual_seed(config.seed)
        self.network = build(config.method, config.network)
        network_config: Any = self.network.config
        self.scale = scale_factor(config, network_scale(config, network_config))
        if context.init_from is not None:
            init_from_checkpoint(self.network, config.method, context.init_from)
        self.discriminator: nn.Module | None = self.recipe.build_discriminator()
        self.teacher = None if config.teacher is None else self._load_teacher(config.teacher, context)
        self.autocast = context.autocast_on_gpu
        self.lpips = self._frozen(LPIPS("squeeze"), context) if config.lpips else None
        self.identity = self._frozen(IdentityLoss(), context) if config.identity else None
        self.losses = maybe_compile(self.recipe, config.compile, context.device)
        self.degrade = maybe_compile(self.recipe.degrade, config.compile, context.device, part=True)
        self.num_samples = len(faces)
        self.sampler = BatchSampler(faces, config, self.scale, context.rank, context.world_size)
        self.validation = PairValidation(
            config,
            context.path(config.validate_on),
            self.scale,
            context.device,
            self.recipe.camera,
            Faults(context.skip_bad, context.log),
        )
        self.trained_on: TrainedOn = "benchmark" if self.recipe.camera is None else "camera"
        self.sizes = self._working_sizes() if network_config.scale > 1 else None

    def _load_teacher(self, model: str, context: TaskContext) -> nn.Module:
        path = context.path(model)
        teacher = load_model(path, context.device)
        config: Any = teacher.config
        if config.scale != self.scale:
            raise SettingError(f"teacher {path} enlarges {config.scale} times; the run needs {self.scale}")
        return teacher.requires_grad_(False)

    def _frozen(self, loss: Loss, context: TaskContext) -> Loss:
        """A loss in the features of a frozen network, compiled where the trained network is."""
        return maybe_compile(context.place(loss), self.config.compile, context.device)

    def _working_sizes(self) -> WorkingSizes:
        sides = [size.side for size in self.config.sizes]
        return WorkingSizes(min(sides), max(sides), round(TRUSTED_SIZE_FACTOR * max(sides)))

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        if self.discriminator is None:
            return {"network": self.network}
        return {"network": self.network, "discriminator": self.discriminator}

    @property
    def model_config(self) -> BaseModel:
        config: Any = self.network.config
        return config

    def optimizer(self, name: str, device: torch.device) -> torch.optim.Optimizer:
        parameters = self.networks[name].parameters()
        return torch.optim.Adam(
            parameters, lr=self.config.lr, betas=self.recipe.betas, fused=device.type == "cuda"
        )

    def training_steps(self, state: TrainState, step: int) -> Iterator[LossTerms]:
        high, boxes, generator = self.sampler(step, state.progress)
        low, target = self.degrade(high, self.config.task, self.scale, generator)
        box_scale = target.shape[-1] / high.shape[-1]  # 1, except for tasks whose target is small
        if self.config.crop is not None:
            low, target, boxes = self._crop(step, self.config.crop, low, target, boxes)
        low = low.contiguous(memory_format=torch.channels_last)
        output = state.models["network"](low).float()
        terms = self.losses(output, low, target, boxes * box_scale)
        if self.teacher is not None:
            with torch.no_grad():
                soft_target = self.teacher(low).float()
            terms["teacher"] = self.config.distill_weight * l1_loss(output, soft_target)
        with self.autocast():
            if self.lpips is not None:
                seen = self._shifted(step, output, target)
                terms["lpips"] = self.config.lpips * self.lpips(*seen).mean()
            if self.identity is not None:
                terms["identity"] = self.config.identity * self.identity(output, target)
        if self.discriminator is None:
            yield LossTerms("network", terms, len(high))
            return
        yield from self._adversarial_steps(state, step, terms, output, target)

    def _adversarial_steps(
        self, state: TrainState, step: int, terms: dict[str, Tensor], output: Tensor, target: Tensor
    ) -> Iterator[LossTerms]:
        """The network's step with its adversarial terms, then the discriminator's.

        Both see bright pictures of other faces: no result is compared with its own target.
        """
        if len(target) < 2:
            raise SettingError(f"batch: {self.method} needs two faces or more in each process")
        bright, discriminator = target.roll(1, dims=0), state.models["discriminator"]
        rng = StepRandom(self.config.seed, step, 3).rng
        with frozen(self.discriminator):
            terms = terms | self.recipe.generator_terms(discriminator, output, bright, rng)
        yield LossTerms("network", terms, len(target))
        own_terms = self.recipe.discriminator_terms(discriminator, output.detach(), bright, rng)
        yield LossTerms("discriminator", own_terms, len(target))

    def _crop(
        self, step: int, side: int, low: Tensor, target: Tensor, boxes: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The same random square of input and target, one for the step; boxes are moved along."""
        height, width = target.shape[-2:]
        if side > min(height, width):
            raise SettingError(f"crop: {side} px of pictures of {height}x{width}")
        rng = StepRandom(self.config.seed, step, 2).rng
        top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
        part = (..., slice(top, top + side), slice(left, left + side))
        moved = (boxes - boxes.new_tensor([left, top, left, top])).clamp(0, side)
        return low[part], target[part], moved

    def _shifted(self, step: int, *pictures: Tensor) -> list[Tensor]:
        """The same random crop of each: `lpips_shift` pixels smaller."""
        most = self.config.lpips_shift
        top, left = StepRandom(self.config.seed, step, 1).rng.integers(0, most + 1, 2)
        height, width = (side - most for side in pictures[0].shape[-2:])
        return [picture[..., top : top + height, left : left + width] for picture in pictures]

    def validate(self, state: TrainState) -> tuple[float, Tensor]:
        return self.validation(state.ema["network"].weights, self.network)

    def weights(self, state: TrainState) -> dict[str, Tensor]:
        return state.ema["network"].weights

    def state_dict(self) -> dict[str, Any]:
        return self.recipe.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.recipe.load_state_dict(state_dict)


def example(config: TrainConfig, network: Any) -> Example:
    """One picture at the size that gives `hr_size`."""
    side = config.hr_size // network_scale(config, network)
    return Example((torch.zeros(1, 3, side, side),), f"one {side}x{side} picture")

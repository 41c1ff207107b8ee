"""Training the enhancer: student, teacher and discriminators, on faces with and without ground truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn
from torch.func import functional_call

from lumiface.core.errors import InputError, SettingError
from lumiface.core.seeds import StepRandom, seeded_generator
from lumiface.data.training.prior_guided_set import (
    FreshlyDarkenedSet,
    PriorGuidedBatch,
    PriorGuidedSet,
    predict_priors,
)
from lumiface.imaging.quantize import quantize, to_uint8
from lumiface.metrics.psnr import psnr_y
from lumiface.registry import WorkingSizes, build, build_recipe, load_model
from lumiface.training.checkpoint import TrainedOn
from lumiface.training.config import AdversarialRun
from lumiface.training.context import StatelessTask, TaskContext, load_initial
from lumiface.training.task import LossTerms, TrainState
from lumiface.training.tasks.adversarial import frozen
from lumiface.training.tasks.example import Example

NUM_PREVIEW = 5
HELD_OUT = 2**31
"""Seeds of the validation faces' degradation start here, apart from those of the training faces."""


class EnhancerRun(AdversarialRun):
    """A run that trains the enhancer on pairs, a teacher's outputs, and dark faces without ground truth."""

    old_names = {"lead_side": "prior_size"}

    prior: str | None = Field(description="the 3D prior, by name or file; none: variant without a prior")
    unpaired: list[str] = Field(description="folders or tars of square, aligned faces in low light")
    prior_size: int = Field(
        default=128, ge=16, description="side of the prior's rendering and depth map, pixels"
    )
    faces: int | None = Field(
        default=None,
        ge=2,
        description="number of training faces",
    )
    # NOTE(paper): its data pipeline darkens each time a face is read; `once` spares the prior's sampling.
    darken: Literal["once", "every_step"] = Field(
        default="once",
        description="when a training face is made dark and its prior sampled: before the first step, kept in "
        "a cache; or anew in each step, as the paper's data pipeline does, at the prior's cost per face",
    )
    crop: int = Field(default=256, ge=32, multiple_of=8, description="side of the training crops, pixels")
    validate_faces: int = Field(default=50, ge=1, description="number of validation faces")


class EnhancerTask(StatelessTask):
    """The student; its moving average is the teacher; the discriminators take the second optimizer step.

    The prior is frozen. With `darken: once` each training face is made dark, and its prior sampled, before
    the first step; that of validation faces and of dark faces without ground truth always is.
    """

    monitor = "psnr_y"
    method = "prior3d"
    trained_on: TrainedOn = "benchmark"

    def __init__(self, config: EnhancerRun, context: TaskContext) -> None:
        self.config = config
        self.rank, self.count = context.rank, context.per_rank_batch(config.batch)
        self.recipe: Any = build_recipe(config.component, config.recipe, config.seed).to(context.device)
        self.model = self._build_model(context)
        if context.init_from is not None:
            trained: Any = load_model(context.init_from, kind=self.method)
            load_initial(self.model.enhancer, trained.enhancer, context.init_from)
        torch.manual_seed(config.seed)
        self.discriminators: nn.Module | None = self.recipe.build_discriminators()
        context.init_discriminator(self.discriminators, config.discriminator_from)
        self._load_faces(context)
        self.num_samples = len(self.paired)
        side = self.held_out.dark.shape[-1]
        self.sizes: WorkingSizes | None = WorkingSizes(side, side, side)

    def _build_model(self, context: TaskContext) -> Any:
        """The whole method: the trained prior and an untrained student."""
        config = self.config
        torch.manual_seed(config.seed)
        student: Any = build(config.component, config.network)
        prior = None if config.prior is None else context.load_component(config.prior, "prior3d-prior")
        settings = {
            "prior": None if prior is None else prior.config.model_dump(),
            "enhancer": student.config.model_dump(),
            "prior_size": config.prior_size,
        }
        model: Any = build(self.method, settings).to(context.device)
        model.enhancer.load_state_dict(student.state_dict())
        if prior is not None:
            model.prior.load_state_dict(prior.state_dict())
            model.prior.requires_grad_(requires_grad=False).eval()
        return model

    def _load_faces(self, context: TaskContext) -> None:
        config, device = self.config, context.device

        def with_priors(bright: Tensor | None, dark: Tensor) -> PriorGuidedSet:
            self._check_crop(dark.shape[-1])
            priors = predict_priors(self.model, dark, device, context.log)
            target = torch.empty(0) if bright is None else bright.to(device)
            return PriorGuidedSet(dark.to(device), priors.to(device), target)

        bright = context.face_tensor(config.train, limit=config.faces)
        self._check_crop(bright.shape[-1])
        self.paired: PriorGuidedSet | FreshlyDarkenedSet = (
            with_priors(bright, self._darken(bright, 0))
            if config.darken == "once"
            else FreshlyDarkenedSet(self.model, bright, self.recipe.darken, device)
        )
        held_out = context.face_tensor([config.validate_on], limit=config.validate_faces)
        self.held_out = with_priors(held_out, self._darken(held_out, HELD_OUT))
        self.unpaired: PriorGuidedSet | None = None
        if self.recipe.unpaired:
            if not config.unpaired:
                raise InputError(
                    f"{config.name}: name faces in low light under unpaired, or set supervision: paired"
                )
            self.unpaired = with_priors(None, context.face_tensor(config.unpaired))
        count = 0 if self.unpaired is None else len(self.unpaired)
        context.log(
            f"{len(self.paired)} paired faces, {count} unpaired dark faces, "
            f"{len(self.held_out)} validation faces"
        )

    def _check_crop(self, side: int) -> None:
        crop, prior_size = self.config.crop, self.config.prior_size
        grid = side // prior_size
        if side != grid * prior_size or crop % grid or crop > side:
            raise SettingError(f"crop {crop} of faces of {side} px does not fit priors of {prior_size}")

    def _darken(self, bright: Tensor, first_seed: int) -> Tensor:
        """Each face with a seed of its own: its degradation does not depend on the number of faces."""
        dark: list[Tensor] = []
        for number, face in enumerate(bright):
            generator = seeded_generator(self.config.seed, first_seed + number)
            dark.append(to_uint8(self.recipe.darken(face[None].float() / 255.0, generator)))
        return torch.cat(dark)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        networks: dict[str, nn.Module] = {"student": self.model.enhancer}
        if self.discriminators is not None:
            networks["discriminators"] = self.discriminators
        return networks

    @property
    def model_config(self) -> BaseModel:
        return self.model.config

    def optimizer(self, name: str, device: torch.device) -> torch.optim.Optimizer:
        # NOTE(paper): Adam's momenta are the paper's (§4.1), used for the discriminators, too.
        parameters = self.networks[name].parameters()
        return torch.optim.Adam(parameters, self.config.lr, betas=(0.5, 0.999), fused=device.type == "cuda")

    def training_steps(self, state: TrainState, step: int) -> Iterator[LossTerms]:
        count = self.count
        rng = StepRandom(self.config.seed, step, self.rank).rng
        paired = self.paired.sample_crops(count, self.config.crop, rng)
        student = state.models["student"]
        if self.unpaired is None:
            output = student(paired.dark, paired.rendering, paired.depth).float()
            yield LossTerms("student", self.recipe.supervised_loss(output, paired.bright), count)
            return
        both = _concatenate(paired, self.unpaired.sample_crops(count, self.config.crop, rng))
        output = student(*both).float()
        with torch.no_grad():
            teacher = functional_call(self.model.enhancer, state.ema["student"].weights, both).float()
        discriminators = state.models.get("discriminators")
        fake = output[count:].detach()
        with frozen(self.discriminators):
            terms = self.recipe(*output.split(count), *teacher.split(count), paired.bright, discriminators)
        yield LossTerms("student", terms, count)
        if discriminators is not None:
            terms = self.recipe.discriminator_loss(discriminators, fake, paired.bright)
            yield LossTerms("discriminators", terms, count)

    @torch.inference_mode()
    def validate(self, state: TrainState) -> tuple[float, Tensor]:
        """Mean PSNR-Y of the student itself; images: dark photographs, outputs, targets."""
        student = self.model.enhancer.eval()
        scores: list[Tensor] = []
        rows: list[list[Tensor]] = [[], [], []]
        for index in range(len(self.held_out)):
            face = self.held_out.full_image(index)
            output = quantize(student(face.dark, face.rendering, face.depth).float())
            scores.append(psnr_y(output, face.bright))
            if index < NUM_PREVIEW:
                for row, image in zip(rows, (face.dark, output, face.bright), strict=True):
                    row.append(image.cpu())
        student.train()
        return float(torch.cat(scores).mean()), torch.cat([torch.cat(row) for row in rows])

    def weights(self, state: TrainState) -> dict[str, Tensor]:
        """The whole method: prior and student. Inference uses the student, not the teacher (§3.2)."""
        return self.model.state_dict()


def _concatenate(one: PriorGuidedBatch, other: PriorGuidedBatch) -> tuple[Tensor, Tensor, Tensor]:
    """Dark faces, renderings and depth maps of two batches."""
    return (
        torch.cat([one.dark, other.dark]),
        torch.cat([one.rendering, other.rendering]),
        torch.cat([one.depth, other.depth]),
    )


def example(config: EnhancerRun, network: Any) -> Example:
    """A photograph, its prior's rendering and depth."""
    prior = torch.zeros(1, 4, config.prior_size, config.prior_size)
    inputs = (torch.zeros(1, 3, 256, 256), prior[:, :3], prior[:, 3:])
    return Example(inputs, "enhancing one 256x256 picture, its prior given")

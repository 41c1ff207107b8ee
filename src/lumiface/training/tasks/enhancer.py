"""Training the enhancer: student, teacher and critics, on faces with and without a bright counterpart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor, nn
from torch.func import functional_call

from lumiface.core.errors import InputError, SettingError
from lumiface.core.seeds import seeded_generator
from lumiface.data.training.prior_guided_set import PriorGuidedBatch, PriorGuidedSet, predict_priors
from lumiface.imaging.quantize import quantize
from lumiface.metrics.psnr import psnr_y
from lumiface.registry import build, build_component, build_component_recipe, load_model
from lumiface.training.context import StatelessTask, TaskContext
from lumiface.training.part_config import EnhancerRun
from lumiface.training.task import TrainState

SHOWN = 5
HELD_OUT = 2**31
"""Seeds of the damage done to faces for validation lie from here on, beside those of the training faces."""


class EnhancerTask(StatelessTask):
    """The student; its moving average is the teacher; the critics come second.

    The prior stays as it is. What it draws for each dark face is drawn once, before the first step, so each
    training face is made dark once, too.
    """

    score = "psnr_y"
    method = "prior3d"

    def __init__(self, config: EnhancerRun, place: TaskContext) -> None:
        self.config = config
        self.rank, self.count = place.rank, place.share(config.batch)
        self.recipe: Any = build_component_recipe(config.component, config.recipe, config.seed).to(
            place.device
        )
        self.method_network = self._assemble(place)
        if place.init_from is not None:
            started: Any = load_model(place.init_from)
            self.method_network.enhancer.load_state_dict(started.enhancer.state_dict())
        torch.manual_seed(config.seed)
        self.critics: nn.Module | None = self.recipe.build_discriminators()
        self._draw_faces(place)
        self.examples = len(self.paired)

    def _assemble(self, place: TaskContext) -> Any:
        """The whole method: the trained prior, and a student that knows nothing yet."""
        config = self.config
        torch.manual_seed(config.seed)
        student: Any = build_component(config.component, config.network)
        prior = None if config.prior is None else place.part(config.prior, "prior3d-prior")
        settings = {
            "prior": None if prior is None else prior.config.model_dump(),
            "enhancer": student.config.model_dump(),
            "prior_size": config.prior_size,
        }
        whole: Any = build(self.method, settings).to(place.device)
        whole.enhancer.load_state_dict(student.state_dict())
        if prior is not None:
            whole.prior.load_state_dict(prior.state_dict())
            whole.prior.requires_grad_(requires_grad=False).eval()
        return whole

    def _draw_faces(self, place: TaskContext) -> None:
        config, device = self.config, place.device

        def lead(bright: Tensor | None, dark: Tensor) -> PriorGuidedSet:
            side = dark.shape[-1]
            grid = side // config.prior_size
            if side != grid * config.prior_size or config.crop % grid or config.crop > side:
                raise SettingError(
                    f"crop {config.crop} of faces of {side} px does not fit leads of {config.prior_size}"
                )
            leads = predict_priors(self.method_network, dark, device, place.tell)
            truth = torch.empty(0) if bright is None else bright.to(device)
            return PriorGuidedSet(dark.to(device), leads.to(device), truth)

        bright = place.faces(config.train, limit=config.faces)
        self.paired = lead(bright, self._darkened(bright, 0))
        held_out = place.faces([config.validate_on], limit=config.validate_faces)
        self.held_out = lead(held_out, self._darkened(held_out, HELD_OUT))
        self.unpaired: PriorGuidedSet | None = None
        if self.recipe.unpaired:
            if not config.unpaired:
                raise InputError(f"{config.name}: name faces in low light under unpaired, or teach by pairs")
            self.unpaired = lead(None, place.faces(config.unpaired))
        count = 0 if self.unpaired is None else len(self.unpaired)
        place.tell(
            f"{len(self.paired)} faces made dark, {count} that were dark, {len(self.held_out)} to validate"
        )

    def _darkened(self, bright: Tensor, first_seed: int) -> Tensor:
        """Each face by a seed of its own, so that its damage does not hang on how many there are."""
        made: list[Tensor] = []
        for number, face in enumerate(bright):
            generator = seeded_generator(self.config.seed, first_seed + number)
            dark = self.recipe.darken(face[None].float() / 255.0, generator)
            made.append((dark * 255.0).round().to(torch.uint8))
        return torch.cat(made)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        student = {"student": self.method_network.enhancer}
        return student if self.critics is None else student | {"critics": self.critics}

    @property
    def settings(self) -> BaseModel:
        return self.method_network.config

    def optimizer(self, name: str, device: torch.device) -> torch.optim.Optimizer:
        # NOTE(paper): Adam's momenta are the paper's (§4.1), taken for the critics, too.
        parameters = self.networks[name].parameters()
        return torch.optim.Adam(parameters, self.config.lr, betas=(0.5, 0.999), fused=device.type == "cuda")

    def turns(self, pupils: TrainState, step: int) -> Iterator[tuple[str, dict[str, Tensor], int]]:
        count = self.count
        rng = np.random.default_rng([self.config.seed, step, self.rank])
        paired = self.paired.cut(count, self.config.crop, rng)
        student = pupils.models["student"]
        if self.unpaired is None:
            output = student(paired.dark, paired.rendering, paired.depth).float()
            yield "student", self.recipe.supervised_loss(output, paired.bright), count
            return
        both = _together(paired, self.unpaired.cut(count, self.config.crop, rng))
        output = student(*both).float()
        with torch.no_grad():
            teacher = pupils.averages["student"].weights
            taught = functional_call(self.method_network.enhancer, teacher, both).float()
        critics = pupils.models.get("critics")
        made = output[count:].detach()
        parts = self.recipe(*output.split(count), *taught.split(count), paired.bright, critics)
        yield "student", parts, count
        if critics is not None:
            yield "critics", self.recipe.discriminator_loss(critics, made, paired.bright), count

    @torch.inference_mode()
    def validate(self, pupils: TrainState) -> tuple[float, Tensor]:
        """Mean PSNR-Y of the student itself; shown are dark photographs, its pictures, and the truth."""
        student = self.method_network.enhancer.eval()
        scores: list[Tensor] = []
        rows: list[list[Tensor]] = [[], [], []]
        for index in range(len(self.held_out)):
            face = self.held_out.whole(index)
            output = quantize(student(face.dark, face.rendering, face.depth).float())
            scores.append(psnr_y(output, face.bright))
            if index < SHOWN:
                for row, picture in zip(rows, (face.dark, output, face.bright), strict=True):
                    row.append(picture.cpu())
        student.train()
        return float(torch.cat(scores).mean()), torch.cat([torch.cat(row) for row in rows])

    def weights(self, pupils: TrainState) -> dict[str, Tensor]:
        """The whole method: prior and student. Only the student works where nobody teaches (§3.2)."""
        return self.method_network.state_dict()


def _together(one: PriorGuidedBatch, other: PriorGuidedBatch) -> tuple[Tensor, Tensor, Tensor]:
    """Dark faces, renderings and depth of both, one after the other."""
    return (
        torch.cat([one.dark, other.dark]),
        torch.cat([one.rendering, other.rendering]),
        torch.cat([one.depth, other.depth]),
    )

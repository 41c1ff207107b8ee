"""Training the 3D prior: tri-planes of bright faces, drawn again from the same faces made dark."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor, nn

from lumiface.metrics.psnr import psnr_rgb
from lumiface.registry import build_component, build_component_recipe
from lumiface.training.context import TaskContext
from lumiface.training.part_config import DiffusionPriorRun
from lumiface.training.task import TrainState
from lumiface.training.tasks.lifter import SHOWN
from lumiface.training.tasks.views import ViewTask

CALIBRATION = 2**31
"""Seed of the faces from which x_0's scale is taken, beside the run's own."""


class DiffusionPriorTask(ViewTask):
    """The denoiser, taught with the tri-planes of a lifter that stays as it is.

    Scored by PSNR of the drawn face's rendering against the lifter's of the bright photograph, each from its
    own camera.
    """

    def __init__(self, config: DiffusionPriorRun, place: TaskContext) -> None:
        super().__init__(config, place)
        self.config = config
        self.lifter = place.part(config.lifter, "prior3d-lifter").requires_grad_(requires_grad=False)
        planes = {
            "planes": self.lifter.config.planes.model_dump(),
            "render": self.lifter.config.render.model_dump(),
        }
        self.kept: dict[int, Tensor] = {}
        torch.manual_seed(config.seed)
        self.prior: Any = build_component(config.component, planes | config.network).to(place.device)
        self.recipe: Any = build_component_recipe(config.component, config.recipe, config.seed)
        if not place.start(self.prior, self.method):
            self.prior.decoder.load_state_dict(self.lifter.decoder.state_dict())
            self._calibrate()
        self.prior.decoder.requires_grad_(requires_grad=False)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        return {"prior": self.prior}

    @property
    def settings(self) -> BaseModel:
        return self.prior.config

    def optimizer(self, name: str, device: torch.device) -> torch.optim.Optimizer:
        # NOTE(paper): Adam's momenta are the paper's for the prior (§4.1).
        taught = [parameter for parameter in self.networks[name].parameters() if parameter.requires_grad]
        return torch.optim.Adam(taught, self.config.lr, betas=(0.9, 0.99), fused=device.type == "cuda")

    def turns(self, pupils: TrainState, step: int) -> Iterator[tuple[str, dict[str, Tensor], int]]:
        indices, mirrored, generator = self.choose(step)
        views, planes = self.views.batch(indices, None), self._lifted(indices)
        if mirrored:
            views, planes = views.mirrored(), self.lifter.mirrored(planes)
        dark = self.recipe.darken(views.pictures, generator)
        parts = self.recipe(self.prior, pupils.models["prior"], dark, planes, views.cameras, generator)
        yield "prior", parts, len(views.pictures)

    @torch.inference_mode()
    def validate(self, pupils: TrainState) -> tuple[float, Tensor]:
        """Mean PSNR; shown are dark photographs, renderings of what was drawn, and of what was lifted."""
        prior = copy.deepcopy(self.prior).eval()
        prior.load_state_dict(pupils.averages["prior"].weights)
        side = self.config.render_size
        scores: list[Tensor] = []
        rows: list[list[Tensor]] = [[], [], []]
        for index in range(min(self.config.validate_faces, len(self.held_out))):
            views = self.held_out.batch([index], None)
            dark = self.recipe.darken(views.pictures, torch.Generator().manual_seed(index))
            drawn = prior.render(prior.sample(dark), (side, side)).colour.clamp(0.0, 1.0)
            lifted = self.lifter.render(
                self.lifter(views.pictures, views.cameras), views.cameras, side
            ).colour.clamp(0.0, 1.0)
            scores.append(psnr_rgb(drawn, lifted))
            if index < SHOWN:
                small = nn.functional.interpolate(dark, size=(side, side), mode="area")
                for row, picture in zip(rows, (small, drawn, lifted), strict=True):
                    row.append(picture.cpu())
        return float(torch.cat(scores).mean()), torch.cat([torch.cat(row) for row in rows])

    @torch.no_grad()
    def _lifted(self, indices: Sequence[int]) -> Tensor:
        """Training faces' tri-planes (B, 3, C, S, S), lifted once and kept, where they fit, in 16 bits."""
        made: list[Tensor] = []
        for index in indices:
            planes = self.kept.get(index)
            if planes is None:
                view = self.views.batch([index], None)
                planes = self.lifter(view.pictures, view.cameras)[0].half()
                if (len(self.kept) + 1) * planes.nbytes < self.config.cache_gib * 2**30:
                    self.kept[index] = planes
            made.append(planes)
        return torch.stack(made).float()

    @torch.no_grad()
    def _calibrate(self) -> None:
        """Take x_0's scale from some training faces."""
        count = min(self.recipe.config.calibrate, len(self.views))
        rng = np.random.default_rng([self.config.seed, CALIBRATION])
        indices = rng.choice(len(self.views), count, replace=False).tolist()
        self.prior.normalizer.calibrate(self._lifted(indices), self.views.batch(indices, None).cameras)

"""Training the 3D prior: tri-planes of bright faces, sampled by diffusion from the same faces made dark."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn

from lumiface.core.seeds import StepRandom
from lumiface.geometry.camera import CAMERA_LENGTH
from lumiface.metrics.psnr import psnr_rgb
from lumiface.registry import build, build_recipe
from lumiface.training.context import TaskContext
from lumiface.training.task import LossTerms, TrainState
from lumiface.training.tasks.example import Example
from lumiface.training.tasks.views import NUM_PREVIEW, ViewRun, ViewTask

CALIBRATION = 2**31
"""Seed of the choice of faces on which the normalizer is calibrated, apart from the seeds of the steps."""


class DiffusionPriorRun(ViewRun):
    """A run that trains the 3D prior on the tri-planes of a trained lifter."""

    old_names = {"view_side": "render_size", "keep_gib": "cache_gib"}

    lifter: str = Field(
        description="the lifter that gives the tri-planes, by name or file; its decoder is copied"
    )
    validate_faces: int = Field(default=20, ge=1, description="number of validation faces")
    render_size: int = Field(default=128, ge=32, description="side of the renderings in validation, pixels")
    cache_gib: float = Field(default=4.0, ge=0, description="memory for tri-planes that were lifted, GiB")


class DiffusionPriorTask(ViewTask):
    """The denoiser, trained on the tri-planes of a frozen lifter.

    Monitored by PSNR of the sampled face's rendering against the lifter's of the bright photograph, each from
    its own camera.
    """

    def __init__(self, config: DiffusionPriorRun, context: TaskContext) -> None:
        super().__init__(config, context)
        self.config = config
        self.lifter = context.load_component(config.lifter, "prior3d-lifter")
        self.lifter.requires_grad_(requires_grad=False)
        planes = {
            "planes": self.lifter.config.planes.model_dump(),
            "render": self.lifter.config.render.model_dump(),
        }
        self.cache: dict[int, Tensor] = {}
        torch.manual_seed(config.seed)
        self.prior: Any = build(config.component, planes | config.network).to(context.device)
        self.recipe: Any = build_recipe(config.component, config.recipe, config.seed)
        if not context.init_component(self.prior, self.method):
            self.prior.decoder.load_state_dict(self.lifter.decoder.state_dict())
            self._calibrate()
        self.prior.decoder.requires_grad_(requires_grad=False)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        return {"prior": self.prior}

    @property
    def model_config(self) -> BaseModel:
        return self.prior.config

    def optimizer(self, name: str, device: torch.device) -> torch.optim.Optimizer:
        # NOTE(paper): Adam's momenta are the paper's for the prior (§4.1).
        trained = [value for value in self.networks[name].parameters() if value.requires_grad]
        return torch.optim.Adam(trained, self.config.lr, betas=(0.9, 0.99), fused=device.type == "cuda")

    def training_steps(self, state: TrainState, step: int) -> Iterator[LossTerms]:
        indices, flipped, generator = self.sample_views(step)
        views, planes = self.views.batch(indices, None), self._lifted_planes(indices)
        if flipped:
            views, planes = views.mirrored(), self.lifter.mirrored(planes)
        dark = self.recipe.darken(views.pictures, generator)
        terms = self.recipe(self.prior, state.models["prior"], dark, planes, views.cameras, generator)
        yield LossTerms("prior", terms, len(views.pictures))

    @torch.inference_mode()
    def validate(self, state: TrainState) -> tuple[float, Tensor]:
        """Mean PSNR; images: dark photographs, renderings of the sampled and of the lifted tri-planes."""
        prior = copy.deepcopy(self.prior).eval()
        prior.load_state_dict(state.ema["prior"].weights)
        side = self.config.render_size
        scores: list[Tensor] = []
        rows: list[list[Tensor]] = [[], [], []]
        for index in range(min(self.config.validate_faces, len(self.held_out))):
            views = self.held_out.batch([index], None)
            dark = self.recipe.darken(views.pictures, torch.Generator().manual_seed(index))
            sampled = prior.render(prior.sample(dark), (side, side)).colour.clamp(0.0, 1.0)
            planes = self.lifter(views.pictures, views.cameras)
            lifted = self.lifter.render(planes, views.cameras, side).colour.clamp(0.0, 1.0)
            scores.append(psnr_rgb(sampled, lifted))
            if index < NUM_PREVIEW:
                small = nn.functional.interpolate(dark, size=(side, side), mode="area")
                for row, image in zip(rows, (small, sampled, lifted), strict=True):
                    row.append(image.cpu())
        return float(torch.cat(scores).mean()), torch.cat([torch.cat(row) for row in rows])

    @torch.no_grad()
    def _lifted_planes(self, indices: Sequence[int]) -> Tensor:
        """Tri-planes of training faces (B, 3, C, S, S), lifted once and cached in 16 bits where they fit."""
        found: list[Tensor] = []
        for index in indices:
            planes = self.cache.get(index)
            if planes is None:
                view = self.views.batch([index], None)
                planes = self.lifter(view.pictures, view.cameras)[0].half()
                if (len(self.cache) + 1) * planes.nbytes < self.config.cache_gib * 2**30:
                    self.cache[index] = planes
            found.append(planes)
        return torch.stack(found).float()

    @torch.no_grad()
    def _calibrate(self) -> None:
        """Fit the normalizer of x_0 to some training faces."""
        count = min(self.recipe.config.calibrate, len(self.views))
        rng = StepRandom(self.config.seed, CALIBRATION).rng
        indices = rng.choice(len(self.views), count, replace=False).tolist()
        self.prior.normalizer.calibrate(self._lifted_planes(indices), self.views.batch(indices, None).cameras)


def example(config: DiffusionPriorRun, network: Any) -> Example:
    """A noisy tri-plane, a dark photograph, and a time step."""
    denoiser = network.denoiser
    noisy = torch.zeros(1, denoiser.components + CAMERA_LENGTH, denoiser.side, denoiser.side)
    step = torch.ones(1, dtype=torch.long)
    return Example((noisy, torch.zeros(1, 3, 256, 256), step), "one denoising step")

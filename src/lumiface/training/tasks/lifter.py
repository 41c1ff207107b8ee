"""Training the lifter: photographs with known cameras -> tri-planes -> renderings."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn

from lumiface.degradations.resample import resize
from lumiface.geometry.camera import orbit_camera, yaw_camera
from lumiface.metrics.psnr import psnr_rgb
from lumiface.registry import build, build_recipe
from lumiface.training.context import TaskContext
from lumiface.training.task import LossTerms, TrainState
from lumiface.training.tasks.example import Example
from lumiface.training.tasks.views import NUM_PREVIEW, ViewRun, ViewTask

PREVIEW_YAW = 20.0
"""Degrees by which validation shows faces rotated."""


class LifterRun(ViewRun):
    """A run that trains the lifter."""

    validate_faces: int = Field(default=40, ge=1, description="number of validation faces")


class LifterTask(ViewTask):
    """The lifter alone; monitored by PSNR of the renderings from the photographs' own cameras."""

    def __init__(self, config: LifterRun, context: TaskContext) -> None:
        super().__init__(config, context)
        self.config = config
        torch.manual_seed(config.seed)
        self.lifter: Any = build(config.component, config.network)
        context.init_component(self.lifter, self.method)
        self.recipe: Any = build_recipe(config.component, config.recipe, config.seed).to(context.device)
        self.side: int = self.recipe.config.side
        if context.device.type != "cpu":
            self.views.store_depth(self.side)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        return {"lifter": self.lifter}

    @property
    def model_config(self) -> BaseModel:
        return self.lifter.config

    def optimizer(self, name: str, device: torch.device) -> torch.optim.Optimizer:
        return torch.optim.Adam(
            self.networks[name].parameters(), lr=self.config.lr, fused=device.type == "cuda"
        )

    def training_steps(self, state: TrainState, step: int) -> Iterator[LossTerms]:
        indices, flipped, generator = self.sample_views(step)
        views = self.views.batch(indices, self.side)
        if flipped:
            views = views.mirrored()
        planes = state.models["lifter"](views.pictures, views.cameras).float()
        target = resize(views.pictures, (self.side, self.side)).clamp(0.0, 1.0)
        terms = self.recipe(self.lifter, planes, target, views.cameras, views.depth, views.mask, generator)
        yield LossTerms("lifter", terms, len(views.pictures))

    @torch.inference_mode()
    def validate(self, state: TrainState) -> tuple[float, Tensor]:
        """Mean PSNR of the renderings; images: photographs, renderings, and the faces rotated."""
        lifter = copy.deepcopy(self.lifter).eval()
        lifter.load_state_dict(state.ema["lifter"].weights)
        scores: list[Tensor] = []
        rows: list[list[Tensor]] = [[], [], []]
        for index in range(min(self.config.validate_faces, len(self.held_out))):
            views = self.held_out.batch([index], self.side)
            target = resize(views.pictures, (self.side, self.side)).clamp(0.0, 1.0)
            planes = lifter(views.pictures, views.cameras)
            rendering = lifter.render(planes, views.cameras, self.side).colour.clamp(0.0, 1.0)
            scores.append(psnr_rgb(rendering, target))
            if index < NUM_PREVIEW:
                camera = yaw_camera(views.cameras, PREVIEW_YAW)
                rotated = lifter.render(planes, camera, self.side).colour.clamp(0.0, 1.0)
                for row, image in zip(rows, (target, rendering, rotated), strict=True):
                    row.append(image.cpu())
        return float(torch.cat(scores).mean()), torch.cat([torch.cat(row) for row in rows])


def example(config: LifterRun, network: Any) -> Example:
    """One photograph and its camera."""
    return Example((torch.zeros(1, 3, 256, 256), orbit_camera(torch.zeros(1, 3))), "lifting one picture")

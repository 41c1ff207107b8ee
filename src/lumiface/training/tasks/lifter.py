"""Training the lifter: photographs with known cameras become tri-planes, and are rendered again."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from lumiface.degradations.resample import resize
from lumiface.geometry.camera import yaw_camera
from lumiface.metrics.psnr import psnr_rgb
from lumiface.registry import build_component, build_component_recipe
from lumiface.training.context import TaskContext
from lumiface.training.part_config import LifterRun
from lumiface.training.task import TrainState
from lumiface.training.tasks.views import ViewTask

SHOWN = 5
TURN = 20.0
"""Degrees of yaw by which validation shows faces turned."""


class LifterTask(ViewTask):
    """The lifter alone; scored by PSNR of the renderings from the photographs' own cameras."""

    def __init__(self, config: LifterRun, place: TaskContext) -> None:
        super().__init__(config, place)
        self.config = config
        torch.manual_seed(config.seed)
        self.lifter: Any = build_component(config.component, config.network)
        place.start(self.lifter, self.method)
        self.recipe: Any = build_component_recipe(config.component, config.recipe, config.seed).to(
            place.device
        )
        self.side: int = self.recipe.config.side

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        return {"lifter": self.lifter}

    @property
    def settings(self) -> BaseModel:
        return self.lifter.config

    def optimizer(self, name: str, device: torch.device) -> torch.optim.Optimizer:
        return torch.optim.Adam(
            self.networks[name].parameters(), lr=self.config.lr, fused=device.type == "cuda"
        )

    def turns(self, pupils: TrainState, step: int) -> Iterator[tuple[str, dict[str, Tensor], int]]:
        indices, mirrored, generator = self.choose(step)
        views = self.views.batch(indices, self.side)
        if mirrored:
            views = views.mirrored()
        planes = pupils.models["lifter"](views.pictures, views.cameras).float()
        target = resize(views.pictures, (self.side, self.side)).clamp(0.0, 1.0)
        parts = self.recipe(self.lifter, planes, target, views.cameras, views.depth, views.mask, generator)
        yield "lifter", parts, len(views.pictures)

    @torch.inference_mode()
    def validate(self, pupils: TrainState) -> tuple[float, Tensor]:
        """Mean PSNR of the renderings; shown are photographs, renderings, and the faces turned."""
        lifter = copy.deepcopy(self.lifter).eval()
        lifter.load_state_dict(pupils.averages["lifter"].weights)
        scores: list[Tensor] = []
        rows: list[list[Tensor]] = [[], [], []]
        for index in range(min(self.config.validate_faces, len(self.held_out))):
            views = self.held_out.batch([index], self.side)
            target = resize(views.pictures, (self.side, self.side)).clamp(0.0, 1.0)
            planes = lifter(views.pictures, views.cameras)
            seen = lifter.render(planes, views.cameras, self.side).colour.clamp(0.0, 1.0)
            scores.append(psnr_rgb(seen, target))
            if index < SHOWN:
                camera = yaw_camera(views.cameras, TURN)
                turned = lifter.render(planes, camera, self.side).colour.clamp(0.0, 1.0)
                for row, picture in zip(rows, (target, seen, turned), strict=True):
                    row.append(picture.cpu())
        return float(torch.cat(scores).mean()), torch.cat([torch.cat(row) for row in rows])

"""Training on pairs: a bright face, what a method's recipe makes dark and small of it, and the way back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from pydantic import BaseModel
from torch import Tensor, nn

from lumiface.core.errors import SettingError
from lumiface.data.training.face_set import FaceSet, load_faces
from lumiface.losses import l1_loss
from lumiface.metrics.lpips import LPIPS
from lumiface.registry import build, build_recipe, init_from_checkpoint, load_model
from lumiface.training.config import TrainConfig, scale_factor
from lumiface.training.context import TaskContext
from lumiface.training.logger import RunLogger
from lumiface.training.loop import run
from lumiface.training.sampler import Draw
from lumiface.training.task import NO_LIMITS, Limits, TrainResult, TrainState
from lumiface.training.tasks.validate import Validation


class PairedTask:
    """One network, one recipe, one loss: how everything is trained that maps a picture to a picture."""

    score = "psnr_y"

    def __init__(self, config: TrainConfig, place: TaskContext, faces: FaceSet) -> None:
        self.config, self.method = config, config.method
        self.recipe = build_recipe(config.method, config.recipe, config.seed + place.rank)
        torch.manual_seed(config.seed)
        self.network = build(config.method, config.network)
        network_config: Any = self.network.config
        self.scale = scale_factor(config, network_config.scale)
        if place.init_from is not None:
            init_from_checkpoint(self.network, config.method, place.init_from)
        self.teacher = None if config.teacher is None else self._teacher(place.path(config.teacher), place)
        self.lpips = LPIPS("squeeze").to(place.device) if config.lpips else None
        self.examples = len(faces)
        self.draw = Draw(faces, config, self.scale, place.rank, place.fabric.world_size)
        self.validation = Validation(
            config, place.path(config.validate_on), self.scale, place.device, self.recipe.camera
        )

    def _teacher(self, model: str, place: TaskContext) -> nn.Module:
        teacher = load_model(model, place.device)
        theirs: Any = teacher.config
        if theirs.scale != self.scale:
            raise SettingError(f"teacher {model} enlarges {theirs.scale} times; the run needs {self.scale}")
        return teacher.requires_grad_(False)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        return {"network": self.network}

    @property
    def settings(self) -> BaseModel:
        config: Any = self.network.config
        return config

    def optimizer(self, name: str, device: torch.device) -> torch.optim.Optimizer:
        parameters = self.networks[name].parameters()
        return torch.optim.Adam(parameters, lr=self.config.lr, fused=device.type == "cuda")

    def turns(self, pupils: TrainState, step: int) -> Iterator[tuple[str, dict[str, Tensor], int]]:
        high, boxes, generator = self.draw(step, pupils.progress)
        low, target = self.recipe.degrade(high, self.config.task, self.scale, generator)
        low = low.contiguous(memory_format=torch.channels_last)
        shrunk = target.shape[-1] / high.shape[-1]  # 1, save where the task ends at the small size
        output = pupils.models["network"](low).float()
        parts = self.recipe(output, low, target, boxes * shrunk)
        if self.teacher is not None:
            with torch.no_grad():
                told = self.teacher(low).float()
            parts["teacher"] = self.config.distill_weight * l1_loss(output, told)
        if self.lpips is not None:
            parts["lpips"] = self.config.lpips * self.lpips(output, target).mean()
        yield "network", parts, len(high)

    def validate(self, pupils: TrainState) -> tuple[float, Tensor]:
        return self.validation(pupils.averages["network"].weights, self.network)

    def weights(self, pupils: TrainState) -> dict[str, Tensor]:
        return pupils.averages["network"].weights

    def state_dict(self) -> dict[str, Any]:
        return self.recipe.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.recipe.load_state_dict(state_dict)


def train(
    config: TrainConfig,
    folder: Path,
    fabric: Fabric,
    *,
    data_root: str = ".",
    limits: Limits = NO_LIMITS,
    faces: FaceSet | None = None,
) -> TrainResult:
    """Train, or go on with, one run; see `lumiface.training.loop.run` for what its folder holds.

    Args:
        data_root: folder that `{data}` stands for in the configuration.
        faces: the training faces, where a caller of many runs has loaded them already.

    Raises:
        LumifaceError: the loss stays infinite or NaN; the data cannot be read; the folder holds a run of
            another network.
    """
    observer = RunLogger(folder, config, enabled=fabric.is_global_zero)
    place = TaskContext(fabric, data_root, limits.init_from, observer.tell)
    if faces is None:
        faces = load_faces([place.path(source) for source in config.train], place.device, place.tell)
    lesson = PairedTask(config, place, faces)
    return run(lesson, config, folder, fabric, observer, limits)

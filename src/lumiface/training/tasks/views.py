"""What tasks on views share."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lumiface.data.training.view_set import ViewSet, load_views
from lumiface.registry import find_component
from lumiface.training.context import StatelessTask, TaskContext
from lumiface.training.part_config import DiffusionPriorRun, LifterRun
from lumiface.training.task import TrainState


class ViewTask(StatelessTask):
    """What the lessons on views share: the choice of a step, and nothing to remember between steps."""

    score = "psnr_rgb"

    def __init__(self, config: LifterRun | DiffusionPriorRun, place: TaskContext) -> None:
        def opened(sources: list[str], meshes: str) -> ViewSet:
            paths = [place.path(source) for source in sources]
            return load_views(paths, place.path(meshes), place.device, place.tell)

        self.views = opened(config.train, config.meshes)
        self.held_out = opened([config.validate_on], config.validate_meshes)
        self.seed, self.batch = config.seed, config.batch
        self.rank, self.world = place.rank, place.fabric.world_size
        self.method = find_component(config.component)[0].name
        self.examples = len(self.views)

    def choose(self, step: int) -> tuple[list[int], bool, torch.Generator]:
        """Which views a step sees, whether in a mirror, and a generator for the rest."""
        rng = np.random.default_rng([self.seed, step])
        indices = rng.choice(len(self.views), self.batch, replace=False)[self.rank :: self.world].tolist()
        mirrored = bool(rng.random() < 0.5)
        return indices, mirrored, torch.Generator().manual_seed(int(rng.integers(2**62)) + self.rank)

    def weights(self, pupils: TrainState) -> dict[str, Tensor]:
        (average,) = pupils.averages.values()
        return average.weights

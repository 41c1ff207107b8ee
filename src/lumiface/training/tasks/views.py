"""Tasks on views: photographs of faces with known cameras."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from lumiface.core.seeds import StepRandom
from lumiface.data.training.choose import choose_faces
from lumiface.data.training.view_set import ViewSet, load_views
from lumiface.registry import WorkingSizes, find_spec
from lumiface.training.checkpoint import TrainedOn
from lumiface.training.config import ComponentRun
from lumiface.training.context import StatelessTask, TaskContext
from lumiface.training.task import TrainState

NUM_PREVIEW = 5
"""Faces whose images validation shows."""


class ViewRun(ComponentRun):
    """A run on faces whose landmarks, and so whose cameras, are known."""

    meshes: str = Field(
        description=".npz with the landmarks of the training faces (`lumiface prepare-meshes`)"
    )
    validate_meshes: str = Field(description="the same for the faces of `validate_on`")


class ViewTask(StatelessTask):
    """What tasks on views share: the views, which of them a step sees, the weights that ship."""

    monitor = "psnr_rgb"
    trained_on: TrainedOn = "benchmark"
    sizes: WorkingSizes | None = None

    def __init__(self, config: ViewRun, context: TaskContext) -> None:
        def load(sources: list[str], meshes: str) -> ViewSet:
            paths = [context.path(source) for source in sources]
            return load_views(paths, context.path(meshes), context.device, context.log, context.skip_bad)

        self.device = context.device
        self.views = load(config.train, config.meshes)
        self.held_out = load([config.validate_on], config.validate_meshes)
        self.seed, self.batch = config.seed, config.batch
        self.rank, self.world_size = context.rank, context.world_size
        self.method = find_spec(config.component)[0].name
        self.num_samples = len(self.views)

    def sample_views(self, step: int) -> tuple[list[int], bool, torch.Generator]:
        """Indices of a step's views, whether they are flipped, and a generator for the rest."""
        random = StepRandom(self.seed, step)
        indices = choose_faces(random.rng, len(self.views), self.batch)
        flipped = bool(random.rng.random() < 0.5)
        return (
            indices[self.rank :: self.world_size].tolist(),
            flipped,
            random.generator(self.device, offset=self.rank),
        )

    def weights(self, state: TrainState) -> dict[str, Tensor]:
        (ema,) = state.ema.values()
        return ema.weights

"""Training the blind restorer: damaged faces, their truth, and a generator that knows faces already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor, nn
from torch.func import functional_call

from lumiface.data.training.face_tensor import sample_batch
from lumiface.imaging.quantize import quantize
from lumiface.metrics.lpips import LPIPS
from lumiface.registry import build_component, build_component_recipe, load_model
from lumiface.training.context import TaskContext
from lumiface.training.part_config import BlindRestorerRun
from lumiface.training.task import TrainState
from lumiface.training.tasks.adversarial import AdversarialTask

SHOWN = 8
BATCH = 10
"""Faces of one batch in validation."""


class BlindRestorerTask(AdversarialTask[BlindRestorerRun]):
    """The restorer, and a critic where the recipe wants one; the generator stays as it is unless thawed.

    Scored by LPIPS (squeeze), turned round so that higher is better: what a restorer invents cannot lie
    pixel on pixel.
    """

    score = "minus_lpips_squeeze"
    method = "fusion_bfr"
    pupil = "restorer"

    def __init__(self, config: BlindRestorerRun, place: TaskContext) -> None:
        self.config = config
        self.rank, self.count = place.rank, place.share(config.batch)
        self.recipe: Any = build_component_recipe(config.component, config.recipe, config.seed).to(
            place.device
        )
        torch.manual_seed(config.seed)
        self.network = self._assemble(place)
        if place.init_from is not None:
            self.network.load_state_dict(load_model(place.init_from).state_dict())
        torch.manual_seed(config.seed)
        self.critic: nn.Module | None = self.recipe.build_discriminator(self.network.generator)
        side = self.network.config.generator.resolution
        self.faces = place.faces(config.train, side=side).to(place.device)
        held_out = place.faces([config.validate_on], limit=config.validate_faces, side=side)
        self.truth = held_out.to(place.device).float() / 255.0
        draw = torch.Generator().manual_seed(config.seed)
        self.damaged = self.recipe.damage(self.truth, draw)
        self.lpips = LPIPS("squeeze").to(place.device)
        self.examples = len(self.faces)
        place.tell(f"{self.examples} faces, {len(self.truth)} to validate")

    def _assemble(self, place: TaskContext) -> Any:
        """An untrained restorer around the trained generator."""
        config = self.config
        if config.prior is None:
            return build_component(config.component, config.network)
        prior = place.part(config.prior, "stylegan2")
        size = {"generator": prior.config.model_dump()}
        restorer: Any = build_component(config.component, config.network | size)
        restorer.generator.load_state_dict(prior.state_dict())
        restorer.generator.requires_grad_(config.train_generator)
        return restorer

    @property
    def settings(self) -> BaseModel:
        return self.network.config

    def turns(self, pupils: TrainState, step: int) -> Iterator[tuple[str, dict[str, Tensor], int]]:
        count = self.count
        rng = np.random.default_rng([self.config.seed, step, self.rank])
        draw = torch.Generator().manual_seed(int(rng.integers(2**62)))
        truth = sample_batch(self.faces, count, rng)
        damaged = self.recipe.damage(truth, draw)
        fidelity = self.recipe.sample_fidelity(count, draw).to(truth)
        output = pupils.models["restorer"](damaged, fidelity).float()
        critic = pupils.models.get("critic")
        yield "restorer", self.recipe(output, truth, self.network.encoder, critic, draw), count
        yield from self.discriminator_steps(pupils, 2.0 * truth - 1.0, 2.0 * output - 1.0, step, draw)

    @torch.inference_mode()
    def validate(self, pupils: TrainState) -> tuple[float, Tensor]:
        """Mean LPIPS, turned round; shown are damaged faces, what was made of them, and the truth."""
        weights = pupils.averages["restorer"].weights
        restored = torch.cat(
            [
                quantize(functional_call(self.network, weights, (some,)).float())
                for some in self.damaged.split(BATCH)
            ]
        )
        distances = [
            self.lpips(ours, truth)
            for ours, truth in zip(restored.split(BATCH), self.truth.split(BATCH), strict=True)
        ]
        shown = torch.cat([faces[:SHOWN] for faces in (self.damaged, restored, self.truth)])
        return -float(torch.cat(distances).mean()), shown.cpu()

    def weights(self, pupils: TrainState) -> dict[str, Tensor]:
        return pupils.averages["restorer"].weights

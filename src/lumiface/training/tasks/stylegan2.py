"""Training the generator: it draws, a critic judges, and each learns from the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor, nn

from lumiface.data.training.face_tensor import sample_batch
from lumiface.registry import build_component, build_component_recipe, find_component
from lumiface.training.context import TaskContext
from lumiface.training.part_config import StyleGAN2Run
from lumiface.training.task import TrainState
from lumiface.training.tasks.sample_distance import SampleDistance

SHOWN = 15


class StyleGAN2Task:
    """Generator and critic, each in its turn; scored by the Fréchet distance of drawn to training faces.

    The score is its negative, so that higher is better, on SqueezeNet's features (`fd_squeezenet`): only for
    comparisons along one run.
    """

    score = "minus_fd_squeezenet"

    def __init__(self, config: StyleGAN2Run, place: TaskContext) -> None:
        self.config, self.device = config, place.device
        self.rank, self.count = place.rank, place.share(config.batch)
        self.method = find_component(config.component)[0].name
        torch.manual_seed(config.seed)
        self.generator: Any = build_component(config.component, config.network)
        place.start(self.generator, self.method)
        self.recipe: Any = build_component_recipe(config.component, config.recipe, config.seed).to(
            place.device
        )
        self.critic: nn.Module = self.recipe.build_discriminator(self.generator)
        self.faces = place.faces(config.train, side=self.generator.config.resolution).to(place.device)
        self.examples = len(self.faces)
        place.tell(f"{self.examples} faces")
        self.drawn = SampleDistance(self.faces, config.num_fid_samples, config.seed)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        return {"generator": self.generator, "critic": self.critic}

    @property
    def settings(self) -> BaseModel:
        return self.generator.config

    def optimizer(self, name: str, device: torch.device) -> torch.optim.Optimizer:
        # Rate and momenta make up for the turns in which a costly part is looked at (StyleGAN2, appendix B).
        recipe = self.recipe.config
        every = recipe.r1_every if name == "critic" else recipe.path_every if recipe.path else 0
        share = every / (every + 1) if every else 1.0
        betas = (0.0, 0.99**share)
        parameters = self.networks[name].parameters()
        return torch.optim.Adam(parameters, self.config.lr, betas=betas, fused=device.type == "cuda")

    def turns(self, pupils: TrainState, step: int) -> Iterator[tuple[str, dict[str, Tensor], int]]:
        recipe, settings = self.recipe, self.recipe.config
        count = self.count
        rng = np.random.default_rng([self.config.seed, step, self.rank])
        draw = torch.Generator().manual_seed(int(rng.integers(2**62)))
        critic = pupils.models["critic"]
        real = 2.0 * sample_batch(self.faces, count, rng) - 1.0

        with torch.no_grad():
            made = self._draw(pupils, self._codes(count, draw), draw)
        for parts in recipe.discriminator_steps(critic, real, made, step, draw):
            yield "critic", parts, count
        if step < settings.discriminator_warmup_steps:
            return

        codes = self._codes(count, draw)
        self.generator.update_mean_latent(codes)
        yield "generator", recipe.generator_loss(critic, self._draw(pupils, codes, draw), draw), count
        if settings.path and step % settings.path_every == 0:
            codes = self._codes(max(1, count // 2), draw)
            yield "generator", recipe.path_length_loss(self._draw(pupils, codes, draw), codes, draw), count

    def validate(self, pupils: TrainState) -> tuple[float, Tensor]:
        """The averaged generator's faces against as many training faces; shown are some of its own."""
        distance, shown = self.drawn(self.generator, self.weights(pupils), SHOWN)
        return -distance, shown

    def weights(self, pupils: TrainState) -> dict[str, Tensor]:
        return pupils.averages["generator"].weights

    def state_dict(self) -> dict[str, Any]:
        return self.recipe.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.recipe.load_state_dict(state_dict)

    def _codes(self, count: int, draw: torch.Generator) -> Tensor:
        return self.recipe.codes(self.generator, count, draw, self.device)

    def _draw(self, pupils: TrainState, codes: Tensor, draw: torch.Generator) -> Tensor:
        noise = [part.to(self.device) for part in self.generator.sample_noise(len(codes), draw)]
        return pupils.models["generator"](codes, noise)

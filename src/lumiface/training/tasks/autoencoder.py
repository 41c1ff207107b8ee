"""Training the generator as the decoder of an autoencoder, before its game with a critic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor, nn
from torch.func import functional_call

from lumiface.data.training.face_tensor import sample_batch
from lumiface.registry import build_component, build_component_recipe
from lumiface.training.context import TaskContext
from lumiface.training.part_config import AutoencoderRun
from lumiface.training.task import TrainState
from lumiface.training.tasks.adversarial import AdversarialTask
from lumiface.training.tasks.sample_distance import SampleDistance

SHOWN = 8
BATCH = 50
"""Faces of one batch in validation."""


class AutoencoderTask(AdversarialTask[AutoencoderRun]):
    """Encoder and generator as one network; and a critic, where the recipe wants one, who is heard when the
    head start that the recipe gives it is over.

    The generator is what the run is for, and scored as in its own lesson, by the faces that it draws from
    nothing.
    """

    score = "minus_fd_squeezenet"
    method = "stylegan2"
    pupil = "autoencoder"

    def __init__(self, config: AutoencoderRun, place: TaskContext) -> None:
        self.config, self.device = config, place.device
        self.rank, self.count = place.rank, place.share(config.batch)
        torch.manual_seed(config.seed)
        self.generator: Any = build_component(config.component, config.network)
        place.start(self.generator, self.method)
        self.recipe: Any = build_component_recipe(config.component, config.recipe, config.seed).to(
            place.device
        )
        self.network: nn.Module = self.recipe.assemble(self.generator)
        self.critic: nn.Module | None = self.recipe.build_discriminator(self.generator)
        side = self.generator.config.resolution
        self.faces = place.faces(config.train, side=side).to(place.device)
        self.held_out = place.faces([config.validate_on], limit=SHOWN, side=side).to(place.device)
        self.drawn = SampleDistance(self.faces, config.num_fid_samples, config.seed)
        self.examples = len(self.faces)
        place.tell(f"{self.examples} faces")

    @property
    def settings(self) -> BaseModel:
        return self.generator.config

    def turns(self, pupils: TrainState, step: int) -> Iterator[tuple[str, dict[str, Tensor], int]]:
        count = self.count
        rng = np.random.default_rng([self.config.seed, step, self.rank])
        face = 2.0 * sample_batch(self.faces, count, rng) - 1.0
        draw = torch.Generator().manual_seed(int(rng.integers(2**62)))
        noise = self.recipe.noise(count, self.generator.config.latent, draw).to(self.device)
        drawn, code = pupils.models["autoencoder"](face, noise)
        heard = step >= self.recipe.gan.config.discriminator_warmup_steps
        judge = pupils.models.get("critic") if heard else None
        yield "autoencoder", self.recipe(drawn.float(), face, code.float(), judge, draw), count
        yield from self.discriminator_steps(pupils, face, drawn, step, draw)

    @torch.no_grad()
    def validate(self, pupils: TrainState) -> tuple[float, Tensor]:
        """The averaged generator's new faces against as many training faces; shown are faces, the same drawn
        again, and new ones."""
        weights = pupils.averages["autoencoder"].weights
        self._lay_way(weights)
        again, _ = self._again(weights, self.held_out)
        distance, new = self.drawn(self.generator, self.weights(pupils), SHOWN)
        truth = self.held_out.float() / 255.0
        return -distance, torch.cat([truth.cpu(), (0.5 * (again + 1.0)).clamp(0.0, 1.0).cpu(), new])

    def _lay_way(self, weights: dict[str, Tensor]) -> None:
        """PriorMaps z to the codes of training faces, in the generator and in the averaged weights."""
        chosen = torch.linspace(
            0, len(self.faces) - 1, min(self.config.num_fit_samples, len(self.faces))
        ).long()
        parts = self.faces[chosen.to(self.device)].split(BATCH)
        codes = torch.cat([self._again(weights, part)[1] for part in parts])
        self.generator.fit_mapping(codes)
        for name, value in self.generator.state_dict().items():
            if name.startswith("mapping.") or name == "w_avg":
                weights[f"generator.{name}"].copy_(value)

    def _again(self, weights: dict[str, Tensor], faces: Tensor) -> tuple[Tensor, Tensor]:
        """Faces (N, 3, R, R) uint8 drawn again, in [-1, 1], and their codes."""
        silence = torch.zeros(len(faces), self.generator.config.latent, device=self.device)
        pictures = 2.0 * (faces.float() / 255.0) - 1.0
        drawn, codes = functional_call(self.network, weights, (pictures, silence))
        return drawn.float(), codes.float()

    def weights(self, pupils: TrainState) -> dict[str, Tensor]:
        """The averaged generator, without the encoder."""
        return {
            name.removeprefix("generator."): value
            for name, value in pupils.averages["autoencoder"].weights.items()
            if name.startswith("generator.")
        }

"""Training the blind restorer: damaged faces, their truth, and a generator that knows faces already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor, nn
from torch.func import functional_call

from lumiface.data.stacks import draw_mirrored
from lumiface.engine.lesson import Place
from lumiface.engine.loop import Pupils
from lumiface.engine.part_config import RestorerRun
from lumiface.metrics.lpips import LPIPS
from lumiface.metrics.pixels import quantise
from lumiface.registry import build_part, build_part_recipe, load_model

SHOWN = 8
BATCH = 10
"""Faces of one batch in validation."""


class RestorerLesson:
    """The restorer, and a critic where the recipe wants one; the generator stays as it is unless thawed.

    Scored by LPIPS (squeeze), turned round so that higher is better: what a restorer invents cannot lie
    pixel on pixel.
    """

    score = "minus_lpips_squeeze"
    method = "fusion_bfr"

    def __init__(self, config: RestorerRun, place: Place) -> None:
        self.config = config
        self.rank, self.count = place.rank, place.share(config.batch)
        self.recipe: Any = build_part_recipe(config.part, config.recipe, config.seed).to(place.device)
        torch.manual_seed(config.seed)
        self.restorer = self._assemble(place)
        if place.start_from is not None:
            self.restorer.load_state_dict(load_model(place.start_from).state_dict())
        torch.manual_seed(config.seed)
        self.critic: nn.Module | None = self.recipe.critic_for(self.restorer.generator)
        side = self.restorer.config.generator.resolution
        self.faces = place.faces(config.train, side=side).to(place.device)
        held_out = place.faces([config.validate_on], limit=config.validate_faces, side=side)
        self.truth = held_out.to(place.device).float() / 255.0
        draw = torch.Generator().manual_seed(config.seed)
        self.damaged = self.recipe.damage(self.truth, draw)
        self.lpips = LPIPS("squeeze").to(place.device)
        self.examples = len(self.faces)
        place.tell(f"{self.examples} faces, {len(self.truth)} to validate")

    def _assemble(self, place: Place) -> Any:
        """An untrained restorer around the trained generator."""
        config = self.config
        if config.prior is None:
            return build_part(config.part, config.network)
        prior = place.part(config.prior, "stylegan2")
        size = {"generator": prior.config.model_dump()}
        restorer: Any = build_part(config.part, config.network | size)
        restorer.generator.load_state_dict(prior.state_dict())
        restorer.generator.requires_grad_(config.thaw)
        return restorer

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        restorer = {"restorer": self.restorer}
        return restorer if self.critic is None else restorer | {"critic": self.critic}

    @property
    def settings(self) -> BaseModel:
        return self.restorer.config

    def optimizer(self, name: str, device: torch.device) -> torch.optim.Optimizer:
        learning = [value for value in self.networks[name].parameters() if value.requires_grad]
        betas = (0.9, 0.99) if name == "restorer" else (0.0, 0.99)
        return torch.optim.Adam(learning, self.config.lr, betas=betas, fused=device.type == "cuda")

    def turns(self, pupils: Pupils, step: int) -> Iterator[tuple[str, dict[str, Tensor], int]]:
        count = self.count
        rng = np.random.default_rng([self.config.seed, step, self.rank])
        draw = torch.Generator().manual_seed(int(rng.integers(2**62)))
        truth = draw_mirrored(self.faces, count, rng)
        damaged = self.recipe.damage(truth, draw)
        output = pupils.models["restorer"](damaged).float()
        critic = pupils.models.get("critic")
        made = 2.0 * output.detach() - 1.0
        yield "restorer", self.recipe(output, truth, self.restorer.encoder, critic, draw), count
        if critic is not None:
            for parts in self.recipe.game.critic_turns(critic, 2.0 * truth - 1.0, made, step, draw):
                yield "critic", parts, count

    @torch.inference_mode()
    def validate(self, pupils: Pupils) -> tuple[float, Tensor]:
        """Mean LPIPS, turned round; shown are damaged faces, what was made of them, and the truth."""
        weights = pupils.averages["restorer"].weights
        restored = torch.cat(
            [
                quantise(functional_call(self.restorer, weights, (some,)).float())
                for some in self.damaged.split(BATCH)
            ]
        )
        distances = [
            self.lpips(ours, truth)
            for ours, truth in zip(restored.split(BATCH), self.truth.split(BATCH), strict=True)
        ]
        shown = torch.cat([faces[:SHOWN] for faces in (self.damaged, restored, self.truth)])
        return -float(torch.cat(distances).mean()), shown.cpu()

    def weights(self, pupils: Pupils) -> dict[str, Tensor]:
        return pupils.averages["restorer"].weights

    def state_dict(self) -> dict[str, Any]:
        return self.recipe.game.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.recipe.game.load_state_dict(state_dict)

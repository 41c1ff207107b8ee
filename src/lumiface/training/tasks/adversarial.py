"""What tasks with a discriminator share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from lumiface.training.config import RunConfig
from lumiface.training.task import TrainState

Run = TypeVar("Run", bound=RunConfig)


class AdversarialTask(Generic[Run]):
    """What lessons share in which a critic may judge what the pupil makes: the game that both play.

    Attributes:
        pupil: its name among the networks.
        network: the pupil.
        critic: None where the recipe wants nobody to judge.
    """

    pupil: str
    config: Run
    recipe: Any
    network: Any
    critic: nn.Module | None

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        pupil = {self.pupil: self.network}
        return pupil if self.critic is None else pupil | {"critic": self.critic}

    def optimizer(self, name: str, device: torch.device) -> torch.optim.Optimizer:
        # Momenta of the first kind are for the pupil, who has more to go by than an opponent who moves.
        learning = [value for value in self.networks[name].parameters() if value.requires_grad]
        betas = (0.9, 0.99) if name == self.pupil else (0.0, 0.99)
        return torch.optim.Adam(learning, self.config.lr, betas=betas, fused=device.type == "cuda")

    def discriminator_steps(
        self, pupils: TrainState, real: Tensor, made: Tensor, step: int, draw: torch.Generator
    ) -> Iterator[tuple[str, dict[str, Tensor], int]]:
        """The critic's turns of a step, if there is one; faces (B, 3, R, R) in [-1, 1]."""
        if (critic := pupils.models.get("critic")) is not None:
            for parts in self.recipe.gan.discriminator_steps(critic, real, made.detach(), step, draw):
                yield "critic", parts, len(real)

    def state_dict(self) -> dict[str, Any]:
        return self.recipe.gan.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.recipe.gan.load_state_dict(state_dict)

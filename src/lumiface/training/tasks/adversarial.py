"""What tasks with an optional discriminator share: two networks, two optimizers, alternating steps."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from lumiface.training.config import RunConfig
from lumiface.training.task import LossTerms, TrainState

Run = TypeVar("Run", bound=RunConfig)


class AdversarialTask(Generic[Run]):
    """A generator network, and a discriminator where the recipe has an adversarial loss.

    Attributes:
        generator_name: the generator's name among the networks.
        network: the generator.
        discriminator: None without an adversarial loss.
    """

    generator_name: str
    config: Run
    recipe: Any
    network: Any
    discriminator: nn.Module | None

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        networks: dict[str, nn.Module] = {self.generator_name: self.network}
        if self.discriminator is not None:
            networks["discriminator"] = self.discriminator
        return networks

    def optimizer(self, name: str, device: torch.device) -> torch.optim.Optimizer:
        # The generator also has losses against a fixed target, so momentum helps it; the discriminator's
        # target moves with the generator.
        trained = [value for value in self.networks[name].parameters() if value.requires_grad]
        betas = (0.9, 0.99) if name == self.generator_name else (0.0, 0.99)
        return torch.optim.Adam(trained, self.config.lr, betas=betas, fused=device.type == "cuda")

    def discriminator_steps(
        self, state: TrainState, real: Tensor, fake: Tensor, step: int, generator: torch.Generator
    ) -> Iterator[LossTerms]:
        """The discriminator's optimizer steps, if there is one; faces (B, 3, R, R) in [-1, 1]."""
        if (discriminator := state.models.get("discriminator")) is None:
            return
        steps = self.recipe.gan.discriminator_steps(
            discriminator, self.discriminator, real, fake.detach(), step, generator
        )
        for terms in steps:
            yield LossTerms("discriminator", terms, len(real))

    def state_dict(self) -> dict[str, Any]:
        return self.recipe.gan.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.recipe.gan.load_state_dict(state_dict)


@contextmanager
def frozen(network: nn.Module | None) -> Generator[None]:
    """Within, a network's parameters get no gradient: the generator's loss needs none of the discriminator.

    What is computed within keeps that; gradients reach the network's input. A third of the work is saved.

    Args:
        network: None: nothing is frozen.
    """
    trained = [] if network is None else [value for value in network.parameters() if value.requires_grad]
    for value in trained:
        value.requires_grad_(False)
    try:
        yield
    finally:
        for value in trained:
            value.requires_grad_()

"""Common parts of the recipes: generation of training pairs, and the plain L1 recipe.

A recipe defines how a method is trained: `degrade` makes a training pair from a bright image, calling the
recipe gives the weighted loss terms. Random state of a recipe belongs into its `state_dict()`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lumiface.core.draws import RandomSource, rand
from lumiface.core.errors import SettingError
from lumiface.core.settings import Settings
from lumiface.degradations.camera_pipeline import CameraConfig, simulate_camera
from lumiface.degradations.dark_blind import DarkBlindConfig, simulate_damaged
from lumiface.degradations.lowlight import expand_bchw
from lumiface.degradations.tasks import PairTask, task_pair
from lumiface.losses import l1_loss


class PairedRecipe(nn.Module):
    """Pairs by the LLF benchmark's darkening for the task of the run; a subclass adds the loss.

    Attributes:
        camera: for the task "joint", simulated camera degradation instead of the benchmark's.
        damage: with `camera`, darkening and damage at full size of some faces before they are reduced.
        damaged: probability of that.
        betas: Adam's momenta.
    """

    camera: CameraConfig | None = None
    damage: DarkBlindConfig | None = None
    damaged: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)

    def build_discriminator(self) -> nn.Module | None:
        """An untrained discriminator, against which the network is trained in alternating steps; None: the
        loss has no adversarial term."""
        return None

    def degrade(
        self, high: Tensor, task: PairTask, scale: int, generator: RandomSource
    ) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) bright, high resolution -> the network's input and its target; see `task_pair`.

        Raises:
            SettingError: `camera` is set for a task other than "joint".
        """
        if self.camera is None:
            return task_pair(task, high, scale, generator)
        if task != "joint":
            raise SettingError(f"recipe.camera makes pairs for the task joint, not for {task}")
        low = simulate_camera(high, self.camera, scale, generator)
        if self.damage is None:
            return low, high
        degraded = simulate_damaged(high, self.damage, (low.shape[-2], low.shape[-1]), generator)
        chosen = rand((len(high),), generator) < self.damaged
        return torch.where(expand_bchw(chosen.to(high.device)), degraded, low), high


class L1RecipeConfig(Settings):
    """The plain recipe has no settings."""


class L1Recipe(PairedRecipe):
    """Mean absolute difference: the loss of EDSR, SPARNet, CTCNet, SwinIR and Omni-SR in their own papers."""

    def __init__(self, config: L1RecipeConfig, seed: int) -> None:
        super().__init__()
        self.config = config

    def forward(self, output: Tensor, low: Tensor, target: Tensor, boxes: Tensor) -> dict[str, Tensor]:
        """The loss terms by name; their sum is minimised.

        Args:
            output, target: (B, 3, H, W), the network's output for `low`, and the ground truth.
            low: (B, 3, h, w), not used here.
            boxes: (B, 4) faces in `target`, not used here.
        """
        return {"l1": l1_loss(output, target)}

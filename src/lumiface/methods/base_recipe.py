"""What the recipes of papers and peers share: how training pairs are made, and the plain L1 recipe.

A recipe is how a method is trained: `degrade` makes a training pair from a bright picture, calling it gives
the weighted parts of the loss. Random state of a recipe's own belongs into its `state_dict()`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lumiface.core.errors import SettingError
from lumiface.core.settings import Settings
from lumiface.degradations.camera_pipeline import CameraConfig, simulate_camera
from lumiface.degradations.tasks import PairTask, task_pair
from lumiface.losses import l1_loss


class PairedRecipe(nn.Module):
    """Pairs by the LLF benchmark's darkening, for the task that the run is for; a subclass adds the loss.

    Attributes:
        camera: for the task "joint", pairs as a camera makes them, in place of the benchmark's.
    """

    camera: CameraConfig | None = None

    def degrade(
        self, high: Tensor, task: PairTask, scale: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) bright and large -> the network's input and its target; see `task_pair`.

        Raises:
            SettingError: pairs of a camera are wanted for another task.
        """
        if self.camera is None:
            return task_pair(task, high, scale, generator)
        if task != "joint":
            raise SettingError(f"recipe.camera makes pairs for the task joint, not for {task}")
        return simulate_camera(high, self.camera, scale, generator), high


class L1RecipeConfig(Settings):
    """The plain recipe has nothing to set."""


class L1Recipe(PairedRecipe):
    """Mean absolute difference: the loss of EDSR, SPARNet, CTCNet, SwinIR and Omni-SR in their own papers."""

    def __init__(self, config: L1RecipeConfig, seed: int) -> None:
        super().__init__()
        self.config = config

    def forward(self, output: Tensor, low: Tensor, target: Tensor, boxes: Tensor) -> dict[str, Tensor]:
        """The loss's parts, by name; their sum is what is minimised.

        Args:
            output, target: (B, 3, H, W), what the network made of `low`, and what it should have made.
            low: (B, 3, h, w), not used here.
            boxes: (B, 4) faces in `target`, not used here.
        """
        return {"l1": l1_loss(output, target)}

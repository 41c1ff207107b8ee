"""The recipe of SRCNN: mean squared error on darkened, downscaled faces."""

from __future__ import annotations

from torch import Tensor

from lumiface.core.settings import Settings
from lumiface.losses import mse_loss
from lumiface.methods.base_recipe import PairedRecipe


class SRCNNRecipeConfig(Settings):
    """SRCNN's recipe has no settings."""


class SRCNNRecipe(PairedRecipe):
    """Degradation and loss of one training step; the article's loss, on the LLF benchmark's darkening."""

    def __init__(self, config: SRCNNRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config = config

    def forward(self, output: Tensor, low: Tensor, target: Tensor, boxes: Tensor) -> dict[str, Tensor]:
        """The loss terms by name; their sum is minimised. `low` and `boxes` are not used."""
        return {"mse": mse_loss(output, target)}

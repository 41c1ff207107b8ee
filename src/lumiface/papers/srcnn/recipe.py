"""How SRCNN is trained: mean squared error on darkened, reduced faces."""

from __future__ import annotations

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from lumiface.degradations.lowlight import dark_and_small
from lumiface.losses import mse_loss


class SRCNNRecipeConfig(BaseModel):
    """SRCNN's loss has nothing to set."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SRCNNRecipe(nn.Module):
    """Degradation and loss of one training step; the article's loss, on the LLF benchmark's darkening."""

    def __init__(self, config: SRCNNRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config = config

    def degrade(self, high: Tensor, scale: int, generator: torch.Generator) -> Tensor:
        """(B, 3, H, W) bright and large -> (B, 3, H/s, W/s) dark and small."""
        return dark_and_small(high, scale, generator)

    def forward(self, output: Tensor, high: Tensor, boxes: Tensor) -> dict[str, Tensor]:
        """The loss's parts, by name; their sum is what is minimised. `boxes` (B, 4) are not used."""
        return {"mse": mse_loss(output, high)}

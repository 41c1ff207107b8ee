"""How lumiface-photo is trained: L1 on photographs reduced and mildly damaged; a run may add LPIPS."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from lumiface.core.draws import RandomSource
from lumiface.core.errors import SettingError
from lumiface.core.settings import Settings
from lumiface.degradations.photo import PhotoConfig, apply_photo, sample_photo
from lumiface.degradations.tasks import PairTask
from lumiface.losses import l1_loss
from lumiface.methods.base_recipe import PairedRecipe


class LumifacePhotoRecipeConfig(Settings):
    """The damage of the small pictures."""

    photo: PhotoConfig = Field(default_factory=PhotoConfig, description="ranges of the damage")


class LumifacePhotoRecipe(PairedRecipe):
    """Degradation and loss of one training step."""

    def __init__(self, config: LumifacePhotoRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config = config

    def degrade(
        self, high: Tensor, task: PairTask, scale: int, generator: RandomSource
    ) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) sharp -> (B, 3, H / scale, W / scale) small and damaged, and `high` itself.

        Raises:
            SettingError: the task is not "sr".
        """
        if task != "sr":
            raise SettingError(
                f"lumiface-photo enlarges and does not brighten: it has no task {task}, only sr"
            )
        parameters = sample_photo(len(high), self.config.photo, generator, high.device, high.dtype)
        return apply_photo(high, scale, parameters, generator), high

    def forward(self, output: Tensor, low: Tensor, target: Tensor, boxes: Tensor) -> dict[str, Tensor]:
        """The loss terms by name; their sum is minimised. `low` and `boxes` are not used."""
        return {"l1": l1_loss(output, target)}

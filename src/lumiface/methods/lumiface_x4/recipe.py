"""The recipe of lumiface-x4: L1, frequency and per-image log-MSE losses."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from lumiface.core.errors import SettingError
from lumiface.core.settings import Settings
from lumiface.degradations.blind import BlindConfig
from lumiface.degradations.camera_pipeline import CameraConfig
from lumiface.degradations.dark_blind import DarkBlindConfig
from lumiface.losses import charbonnier_loss, fft_loss, l1_loss, log_mse_loss
from lumiface.methods.base_recipe import PairedRecipe


class LumifaceX4RecipeConfig(Settings):
    """The weights of the losses."""

    camera: CameraConfig | None = Field(
        default=None, description="simulated camera degradation; null: the LLF benchmark's"
    )
    damage: BlindConfig | None = Field(
        default=None, description="with `camera`: damage at full size of some faces; null: none"
    )
    damaged: float = Field(default=0.5, ge=0, le=1, description="probability of that damage")
    l1: float = Field(default=1.0, ge=0, description="weight of the mean absolute difference")
    charbonnier: float = Field(default=0.0, ge=0, description="weight of the Charbonnier loss")
    fft: float = Field(default=0.05, ge=0, description="weight of the frequency loss")
    log_mse: float = Field(default=0.0, ge=0, description="weight of the per-image log-MSE")


class LumifaceX4Recipe(PairedRecipe):
    """Degradation and loss of one training step."""

    def __init__(self, config: LumifaceX4RecipeConfig, seed: int) -> None:
        super().__init__()
        if config.damage is not None and config.camera is None:
            raise SettingError("recipe.damage needs recipe.camera, which darkens the faces")
        self.config, self.camera = config, config.camera
        if config.camera is not None and config.damage is not None:
            self.damage = DarkBlindConfig(dark=config.camera, damage=config.damage)
        self.damaged = config.damaged

    def forward(self, output: Tensor, low: Tensor, target: Tensor, boxes: Tensor) -> dict[str, Tensor]:
        """The weighted loss terms by name; their sum is minimised. `low` and `boxes` are not used."""
        weights = self.config
        terms = {
            "l1": (weights.l1, l1_loss),
            "charbonnier": (weights.charbonnier, charbonnier_loss),
            "fft": (weights.fft, fft_loss),
            "log_mse": (weights.log_mse, log_mse_loss),
        }
        return {name: weight * loss(output, target) for name, (weight, loss) in terms.items() if weight > 0}

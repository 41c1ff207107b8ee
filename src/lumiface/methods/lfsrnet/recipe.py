"""The recipe of LFSRNet (§2.4, §3.1, §3.2): L = w1·L1 + w2·L_FFT + w3·L_mask on darkened, small faces."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from lumiface.core.settings import Settings
from lumiface.degradations.camera_pipeline import CameraConfig
from lumiface.losses import FaceMaskLoss, MaskMode, MaskNorm, fft_loss, l1_loss, log_mse_loss
from lumiface.methods.base_recipe import PairedRecipe


class LFSRNetRecipeConfig(Settings):
    """The settings of the loss; defaults are the paper's (§3.2), which has neither `camera` nor `log_mse`."""

    camera: CameraConfig | None = Field(
        default=None, description="simulated camera degradation; null: the LLF benchmark's"
    )
    l1: float = Field(default=1.0, ge=0, description="w1: weight of the mean absolute difference")
    fft: float = Field(default=0.05, ge=0, description="w2: weight of the frequency loss")
    mask: float = Field(default=0.01, ge=0, description="w3: weight of faceMaskLoss")
    mask_ratio: float = Field(
        default=0.5, ge=0, le=1, description="r: fraction of the face's pixels in the mask"
    )
    mask_mode: MaskMode = Field(default="block", description="type of the random mask: block or pixel")
    mask_norm: MaskNorm = Field(
        default="picture",
        description="faceMaskLoss is the mean over the picture, the mean over the mask, or the sum",
    )
    log_mse: float = Field(default=0.0, ge=0, description="weight of the per-image log-MSE")


class LFSRNetRecipe(PairedRecipe):
    """Degradation and loss of one training step. The mask's random state is part of `state_dict()`."""

    def __init__(self, config: LFSRNetRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config, self.camera = config, config.camera
        self.face_mask = FaceMaskLoss(config.mask_ratio, config.mask_mode, seed=seed, norm=config.mask_norm)

    def forward(self, output: Tensor, low: Tensor, target: Tensor, boxes: Tensor) -> dict[str, Tensor]:
        """The weighted terms of L by name; their sum is minimised.

        Args:
            output, target: (B, 3, H, W), I_SR and I_HR.
            low: I_LR, not used here.
            boxes: (B, 4) faces in `target` as x1, y1, x2, y2 in pixels.
        """
        weights = self.config
        terms = {
            "l1": weights.l1 * l1_loss(output, target),
            "fft": weights.fft * fft_loss(output, target),
            "mask": weights.mask * self.face_mask(output, target, boxes),
        }
        if weights.log_mse > 0:
            terms["log_mse"] = weights.log_mse * log_mse_loss(output, target)
        return terms

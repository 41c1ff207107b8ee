"""Training losses, one a file: a pure function and a thin module around it."""

from __future__ import annotations

from lumiface.losses.face_mask import FaceMaskLoss, MaskMode, block_mask, face_mask_loss, pixel_mask
from lumiface.losses.fft import FFTLoss, fft_loss
from lumiface.losses.pixel import L1Loss, MSELoss, l1_loss, mse_loss

__all__ = [
    "FFTLoss",
    "FaceMaskLoss",
    "L1Loss",
    "MSELoss",
    "MaskMode",
    "block_mask",
    "face_mask_loss",
    "fft_loss",
    "l1_loss",
    "mse_loss",
    "pixel_mask",
]

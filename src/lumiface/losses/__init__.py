"""Training losses, one per file: a pure function and a thin module around it."""

from __future__ import annotations

from lumiface.losses.adversarial import (
    DiscriminatorLoss,
    GeneratorLoss,
    discriminator_loss,
    generator_loss,
    path_length,
    r1_penalty,
)
from lumiface.losses.distillation import (
    InterConsistencyLoss,
    IntraConsistencyLoss,
    inter_consistency_loss,
    intra_consistency_loss,
)
from lumiface.losses.distortion import DistortionLoss, distortion_loss
from lumiface.losses.face_mask import (
    FaceMaskLoss,
    MaskMode,
    MaskNorm,
    block_mask,
    face_mask_loss,
    pixel_mask,
)
from lumiface.losses.fft import FFTLoss, fft_loss
from lumiface.losses.identity import IdentityLoss, identity_loss
from lumiface.losses.mrfr import MRFRLoss, mrfr_loss
from lumiface.losses.perceptual import PerceptualLoss, VGGFeatures, perceptual_loss
from lumiface.losses.pixel import (
    CharbonnierLoss,
    L1Loss,
    LogMSELoss,
    MSELoss,
    charbonnier_loss,
    l1_loss,
    log_mse_loss,
    mse_loss,
)
from lumiface.losses.vgg19 import VGG19Features, VGG19Loss, pre_activation_loss
from lumiface.losses.zero_reference import (
    ColourConstancyLoss,
    EdgeAwareSmoothnessLoss,
    ExposureLoss,
    IlluminationSmoothnessLoss,
    SpatialConsistencyLoss,
    colour_constancy_loss,
    edge_aware_smoothness_loss,
    exposure_loss,
    illumination_smoothness_loss,
    spatial_consistency_loss,
)

__all__ = [
    "CharbonnierLoss",
    "ColourConstancyLoss",
    "DiscriminatorLoss",
    "DistortionLoss",
    "EdgeAwareSmoothnessLoss",
    "ExposureLoss",
    "FFTLoss",
    "FaceMaskLoss",
    "GeneratorLoss",
    "IdentityLoss",
    "IlluminationSmoothnessLoss",
    "InterConsistencyLoss",
    "IntraConsistencyLoss",
    "L1Loss",
    "LogMSELoss",
    "MRFRLoss",
    "MSELoss",
    "MaskMode",
    "MaskNorm",
    "PerceptualLoss",
    "SpatialConsistencyLoss",
    "VGG19Features",
    "VGG19Loss",
    "VGGFeatures",
    "block_mask",
    "charbonnier_loss",
    "colour_constancy_loss",
    "discriminator_loss",
    "distortion_loss",
    "edge_aware_smoothness_loss",
    "exposure_loss",
    "face_mask_loss",
    "fft_loss",
    "generator_loss",
    "identity_loss",
    "illumination_smoothness_loss",
    "inter_consistency_loss",
    "intra_consistency_loss",
    "l1_loss",
    "log_mse_loss",
    "mrfr_loss",
    "mse_loss",
    "path_length",
    "perceptual_loss",
    "pixel_mask",
    "pre_activation_loss",
    "r1_penalty",
    "spatial_consistency_loss",
]

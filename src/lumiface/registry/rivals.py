"""The baselines of prior3d's and fusion_bfr's tables: they keep the size."""

from __future__ import annotations

from lumiface.degradations.tasks import SAME_SIZE
from lumiface.methods.baselines.light.hvi_cidnet import HVICIDNet, HVICIDNetConfig
from lumiface.methods.baselines.light.nafnet import NAFNet, NAFNetConfig
from lumiface.methods.baselines.light.retinexformer import RetinexFormer, RetinexFormerConfig
from lumiface.registry.retrained import retrained

LIGHT = (
    retrained(
        "hvi-cidnet",
        "HVI-CIDNet: brightness and colour in two branches, in a colour space for the dark",
        "Yan et al.: HVI: A New Color Space for Low-light Image Enhancement (CVPR 2025)",
        HVICIDNet,
        HVICIDNetConfig,
        tasks=SAME_SIZE,
    ),
    retrained(
        "retinexformer",
        "RetinexFormer: a transformer guided by an estimate of the light",
        "Cai et al.: Retinexformer: One-stage Retinex-based Transformer for Low-light Image Enhancement "
        "(ICCV 2023)",
        RetinexFormer,
        RetinexFormerConfig,
        tasks=SAME_SIZE,
    ),
    retrained(
        "nafnet",
        "NAFNet: a U-Net without activations; stands in for UHDformer's class of networks",
        "Chen et al.: Simple Baselines for Image Restoration (ECCV 2022)",
        NAFNet,
        NAFNetConfig,
        tasks=SAME_SIZE,
    ),
)

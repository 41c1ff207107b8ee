"""The baselines of prior3d's and fusion_bfr's tables: they keep the size."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lumiface.degradations.tasks import SAME_SIZE
from lumiface.methods.baselines.blind.difface import (
    DifFace,
    DifFaceConfig,
    DifFaceRecipe,
    DifFaceRecipeConfig,
)
from lumiface.methods.baselines.blind.gfpgan import GFPGAN, GFPGANConfig
from lumiface.methods.baselines.blind.pulse import PULSE, PULSEConfig
from lumiface.methods.baselines.blind.restoreformer import (
    RestoreFormer,
    RestoreFormerConfig,
    RestoreFormerRecipe,
    RestoreFormerRecipeConfig,
)
from lumiface.methods.baselines.light.enlightengan import (
    EnlightenGAN,
    EnlightenGANConfig,
    EnlightenGANRecipe,
    EnlightenGANRecipeConfig,
)
from lumiface.methods.baselines.light.hvi_cidnet import HVICIDNet, HVICIDNetConfig
from lumiface.methods.baselines.light.image_diffusion import (
    ImageDiffusion,
    ImageDiffusionConfig,
    ImageDiffusionRecipe,
    ImageDiffusionRecipeConfig,
)
from lumiface.methods.baselines.light.nafnet import NAFNet, NAFNetConfig
from lumiface.methods.baselines.light.retinexformer import RetinexFormer, RetinexFormerConfig
from lumiface.methods.baselines.light.zero_ig import (
    ZeroIG,
    ZeroIGConfig,
    ZeroIGRecipe,
    ZeroIGRecipeConfig,
)
from lumiface.registry.baseline_entry import baseline
from lumiface.registry.spec import WorkingSizes

LIGHT = (
    baseline(
        "hvi-cidnet",
        "HVI-CIDNet: brightness and colour in two branches, in a colour space for the dark",
        "Yan et al.: HVI: A New Color Space for Low-light Image Enhancement (CVPR 2025)",
        HVICIDNet,
        HVICIDNetConfig,
        tasks=SAME_SIZE,
    ),
    baseline(
        "retinexformer",
        "RetinexFormer: a transformer guided by an estimate of the light",
        "Cai et al.: Retinexformer: One-stage Retinex-based Transformer for Low-light Image Enhancement "
        "(ICCV 2023)",
        RetinexFormer,
        RetinexFormerConfig,
        tasks=SAME_SIZE,
    ),
    baseline(
        "nafnet",
        "NAFNet: a U-Net without activations; stands in for UHDformer's class of networks",
        "Chen et al.: Simple Baselines for Image Restoration (ECCV 2022)",
        NAFNet,
        NAFNetConfig,
        tasks=SAME_SIZE,
    ),
    baseline(
        "enlightengan",
        "EnlightenGAN: attention-guided U-Net, trained without pairs against discriminators",
        "Jiang et al.: EnlightenGAN: Deep Light Enhancement without Paired Supervision (TIP 2021)",
        EnlightenGAN,
        EnlightenGANConfig,
        recipe=EnlightenGANRecipe,
        recipe_config=EnlightenGANRecipeConfig,
        tasks=SAME_SIZE,
    ),
    baseline(
        "zero-ig",
        "ZERO-IG, a reduced version: denoising around a division by the light, without references",
        "Shi et al.: ZERO-IG: Zero-Shot Illumination-Guided Joint Denoising and Adaptive Enhancement for "
        "Low-Light Images (CVPR 2024)",
        ZeroIG,
        ZeroIGConfig,
        recipe=ZeroIGRecipe,
        recipe_config=ZeroIGRecipeConfig,
        tasks=SAME_SIZE,
    ),
    baseline(
        "image-diffusion",
        "Conditional diffusion of pictures: the class of RDDM and IC-FSRDENet",
        "Saharia et al.: Image Super-Resolution via Iterative Refinement (TPAMI 2022); Song et al.: "
        "Denoising Diffusion Implicit Models (ICLR 2021)",
        ImageDiffusion,
        ImageDiffusionConfig,
        recipe=ImageDiffusionRecipe,
        recipe_config=ImageDiffusionRecipeConfig,
        tasks=SAME_SIZE,
        dtypes=(torch.float32,),
        torch_only="it begins from random noise",
    ),
)


def _sizes(config: Any) -> WorkingSizes:
    side: int = config.resolution
    return WorkingSizes(smallest=side, largest=side, trusted=side)


def _build_pulse(config: PULSEConfig) -> nn.Module:
    from lumiface.registry.checkpoints import load_model  # which looks up the entries of this module

    return PULSE(config, load_model(config.generator, kind="stylegan2"))


def _pulse_sizes(config: PULSEConfig) -> WorkingSizes:
    from lumiface.registry.build import configure
    from lumiface.registry.checkpoints import read_metadata

    facts = read_metadata(config.generator)
    return _sizes(configure(facts["method"], facts["config"]))


_BLIND: dict[str, Any] = {
    "tasks": ("blind",),
    "dtypes": (torch.float32,),
    "aligned_face": True,
    "sizes": _sizes,
}

BLIND = (
    baseline(
        "gfpgan",
        "GFPGAN: a U-Net that modulates a face generator, here without a pretrained one",
        "Wang et al.: Towards Real-World Blind Face Restoration with Generative Facial Prior (CVPR 2021)",
        GFPGAN,
        GFPGANConfig,
        torch_only="each picture has convolution weights of its own",
        **_BLIND,
    ),
    baseline(
        "restoreformer",
        "RestoreFormer: attention to a dictionary of faces",
        "Wang et al.: RestoreFormer: High-Quality Blind Face Restoration from Undegraded Key-Value Pairs "
        "(CVPR 2022)",
        RestoreFormer,
        RestoreFormerConfig,
        recipe=RestoreFormerRecipe,
        recipe_config=RestoreFormerRecipeConfig,
        torch_only="it looks up the nearest entries of a dictionary",
        **_BLIND,
    ),
    baseline(
        "difface",
        "DifFace: a rough estimate, made noisy and denoised by a diffusion model of faces",
        "Yue, Loy: DifFace: Blind Face Restoration with Diffused Error Contraction (TPAMI 2024)",
        DifFace,
        DifFaceConfig,
        recipe=DifFaceRecipe,
        recipe_config=DifFaceRecipeConfig,
        tasks=("blind",),
        dtypes=(torch.float32,),
        torch_only="it adds random noise",
    ),
    baseline(
        "pulse",
        "PULSE: search of a face generator for a face that reduces to the given one",
        "Menon et al.: PULSE: Self-Supervised Photo Upsampling via Latent Space Exploration of Generative "
        "Models (CVPR 2020)",
        _build_pulse,
        PULSEConfig,
        recipe=None,
        recipe_config=None,
        torch_only="each face is searched by gradients",
        **_BLIND | {"sizes": _pulse_sizes},
    ),
)

"""The baselines: networks rebuilt from their papers, zero-reference enhancers, classical methods."""

from __future__ import annotations

from typing import Any

import torch

from lumiface.degradations.tasks import SAME_SIZE
from lumiface.methods.baselines import sci, zero_dce
from lumiface.methods.baselines.bicubic import Bicubic, BicubicConfig
from lumiface.methods.baselines.classical import (
    CLAHEConfig,
    CLAHEEnhancer,
    GammaConfig,
    GammaEnhancer,
    LIMEConfig,
    LIMEEnhancer,
)
from lumiface.methods.baselines.ctcnet import CTCNet, CTCNetConfig
from lumiface.methods.baselines.dln import DLN, DLNConfig
from lumiface.methods.baselines.edsr import EDSR, EDSRConfig
from lumiface.methods.baselines.esrgan import ESRGAN, ESRGANConfig
from lumiface.methods.baselines.lsr import LSR, LSRConfig
from lumiface.methods.baselines.omnisr import OmniSR, OmniSRConfig
from lumiface.methods.baselines.realesrgan import RealESRGAN, RealESRGANConfig
from lumiface.methods.baselines.sci import SCI, SCIConfig, SCIRecipe, SCIRecipeConfig
from lumiface.methods.baselines.sparnet import SPARNet, SPARNetConfig
from lumiface.methods.baselines.swinir import SwinIR, SwinIRConfig
from lumiface.methods.baselines.zero_dce import (
    ZeroDCE,
    ZeroDCEConfig,
    ZeroDCERecipe,
    ZeroDCERecipeConfig,
)
from lumiface.registry.baseline_entry import baseline
from lumiface.registry.rivals import BLIND, LIGHT
from lumiface.registry.spec import FLOATS, Capabilities, Spec

RETRAINED = (
    baseline(
        "edsr",
        "EDSR, baseline: residual blocks without batch norm",
        "Lim et al.: Enhanced Deep Residual Networks for Single Image Super-Resolution (CVPRW 2017)",
        EDSR,
        EDSRConfig,
    ),
    baseline(
        "sparnet",
        "SPARNet: spatial attention for face super-resolution",
        "Chen et al.: Learning Spatial Attention for Face Super-Resolution (TIP 2021)",
        SPARNet,
        SPARNetConfig,
        aligned_face=True,
    ),
    baseline(
        "ctcnet",
        "CTCNet: convolutions and transformers together, for faces",
        "Gao et al.: A CNN-Transformer Cooperation Network for Face Image Super-Resolution (TIP 2023)",
        CTCNet,
        CTCNetConfig,
        aligned_face=True,
    ),
    baseline(
        "swinir",
        "SwinIR, lightweight: shifted-window attention",
        "Liang et al.: SwinIR: Image Restoration Using Swin Transformer (ICCVW 2021)",
        SwinIR,
        SwinIRConfig,
    ),
    baseline(
        "omnisr",
        "Omni-SR: attention over space and channels at once",
        "Wang et al.: Omni Aggregation Networks for Lightweight Image Super-Resolution (CVPR 2023)",
        OmniSR,
        OmniSRConfig,
    ),
    baseline(
        "lsr",
        "LSR: super-resolution by lightening back-projection",
        "Lightening super-resolution deep network for low-light image enhancement",
        LSR,
        LSRConfig,
    ),
    baseline(
        "dln",
        "DLN: low-light enhancement by lightening back-projection",
        "Wang et al.: Lightening Network for Low-Light Image Enhancement (TIP 2020)",
        DLN,
        DLNConfig,
        tasks=SAME_SIZE,
    ),
    baseline(
        "esrgan",
        "ESRGAN's network: dense blocks within residual blocks",
        "Wang et al.: ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks (ECCVW 2018)",
        ESRGAN,
        ESRGANConfig,
        tiling=True,
    ),
    baseline(
        "realesrgan",
        "Real-ESRGAN's compact network: plain convolutions at low resolution",
        "Wang et al.: Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data "
        "(ICCVW 2021)",
        RealESRGAN,
        RealESRGANConfig,
        tiling=True,
    ),
)

# Low-light enhancement, trained without ground truth, with the authors' own weights.
UNPAIRED = (
    Spec(
        name="zero-dce",
        kind="baseline",
        title="Zero-DCE: light curves estimated without a reference",
        source="Guo et al.: Zero-Reference Deep Curve Estimation for Low-Light Image Enhancement (CVPR 2020)",
        network=ZeroDCE,
        config=ZeroDCEConfig,
        recipe=ZeroDCERecipe,
        recipe_config=ZeroDCERecipeConfig,
        capabilities=Capabilities(SAME_SIZE, 1, FLOATS, tiling=False, aligned_face=False),
        presets={"zero-dce": {}},
        official_weights={"zero-dce-published": ("zero_dce", zero_dce.load_official)},
    ),
    Spec(
        name="sci",
        kind="baseline",
        title="SCI: self-calibrated illumination",
        source="Ma et al.: Toward Fast, Flexible, and Robust Low-Light Image Enhancement (CVPR 2022)",
        network=SCI,
        config=SCIConfig,
        recipe=SCIRecipe,
        recipe_config=SCIRecipeConfig,
        capabilities=Capabilities(SAME_SIZE, 1, FLOATS, tiling=False, aligned_face=False),
        presets={"sci": {}},
        official_weights={"sci-published": ("sci_medium", sci.load_official)},
    ),
)


# Classical methods: nothing is trained, no weights.
_CLASSICAL: dict[str, Any] = {"recipe": None, "recipe_config": None}

CLASSICAL = (
    baseline(
        "bicubic",
        "Bicubic enlargement",
        "Keys: Cubic Convolution Interpolation (IEEE TASSP 1981)",
        Bicubic,
        BicubicConfig,
        torch_only="nothing is learned",
        **_CLASSICAL,
    ),
    baseline(
        "gamma",
        "Mean gamma: a power that brings the mean to 0.5",
        "",
        GammaEnhancer,
        GammaConfig,
        tasks=SAME_SIZE,
        **_CLASSICAL,
    ),
    baseline(
        "clahe",
        "CLAHE: local histograms made even, within limits",
        "Zuiderveld: Contrast Limited Adaptive Histogram Equalization (Graphics Gems IV, 1994)",
        CLAHEEnhancer,
        CLAHEConfig,
        dtypes=(torch.float32,),
        torch_only="it is computed by OpenCV",
        tasks=SAME_SIZE,
        **_CLASSICAL,
    ),
    baseline(
        "lime",
        "LIME: division by a smoothed map of the light",
        "Guo, Li, Ling: Low-Light Image Enhancement via Illumination Map Estimation (TIP 2017)",
        LIMEEnhancer,
        LIMEConfig,
        tasks=SAME_SIZE,
        **_CLASSICAL,
    ),
)

BASELINES = (*RETRAINED, *UNPAIRED, *CLASSICAL, *LIGHT, *BLIND)

"""The table itself.

A method is a network class, its configuration, how it is trained, and what it can do. To add one, write its
folder in `papers` (or its file in `peers`) and its entry here.
"""

from __future__ import annotations

from typing import Any

import torch
from pydantic import BaseModel

from lumiface.degradations.tasks import ENLARGING, SAME_SIZE
from lumiface.papers.fusion_bfr.model import FusionBFR, FusionBFRConfig
from lumiface.papers.fusion_bfr.presets import RESTORERS
from lumiface.papers.lfsrnet.model import LFSRNet, LFSRNetConfig
from lumiface.papers.lfsrnet.recipe import LFSRNetRecipe, LFSRNetRecipeConfig
from lumiface.papers.lumiface_x4.model import LumifaceX4, LumifaceX4Config
from lumiface.papers.lumiface_x4.recipe import LumifaceX4Recipe, LumifaceX4RecipeConfig
from lumiface.papers.prior3d.model import Prior3D, Prior3DConfig
from lumiface.papers.prior3d.presets import PAPER, SMALL
from lumiface.papers.srcnn.model import SRCNN, SRCNNConfig
from lumiface.papers.srcnn.recipe import SRCNNRecipe, SRCNNRecipeConfig
from lumiface.peers import sci, zero_dce
from lumiface.peers.bicubic import Bicubic, BicubicConfig
from lumiface.peers.classical import (
    CLAHEConfig,
    CLAHEEnhancer,
    GammaConfig,
    GammaEnhancer,
    LIMEConfig,
    LIMEEnhancer,
)
from lumiface.peers.ctcnet import CTCNet, CTCNetConfig
from lumiface.peers.dln import DLN, DLNConfig
from lumiface.peers.edsr import EDSR, EDSRConfig
from lumiface.peers.lsr import LSR, LSRConfig
from lumiface.peers.omnisr import OmniSR, OmniSRConfig
from lumiface.peers.sci import SCI, SCIConfig, SCIRecipe, SCIRecipeConfig
from lumiface.peers.sparnet import SPARNet, SPARNetConfig
from lumiface.peers.swinir import SwinIR, SwinIRConfig
from lumiface.peers.zero_dce import ZeroDCE, ZeroDCEConfig, ZeroDCERecipe, ZeroDCERecipeConfig
from lumiface.recipe import L1Recipe, L1RecipeConfig
from lumiface.registry.method import Capabilities, Method

FLOATS = (torch.float32, torch.bfloat16)

_PAPERS = (
    Method(
        name="lfsrnet",
        title="LFSRNet: joint low-light enhancement and face super-resolution",
        source="Cong, Zheng, Jia, CAAI Transactions on Intelligent Systems",
        network=LFSRNet,
        config=LFSRNetConfig,
        recipe=LFSRNetRecipe,
        recipe_config=LFSRNetRecipeConfig,
        capabilities=Capabilities(ENLARGING, 8, FLOATS, tiling=False, aligned_face=True),
        presets={
            "lfsrnet-paper": {"channels": 64},
            "lfsrnet-base": {"channels": 48, "upsampler": "resize"},
            "lfsrnet-lite": {"channels": 32, "upsampler": "resize"},
        },
    ),
    Method(
        name="lumiface_x4",
        title="Our own: light as two numbers a colour, detail by a U-Net",
        source="this project: docs/lumiface-x4.md",
        network=LumifaceX4,
        config=LumifaceX4Config,
        recipe=LumifaceX4Recipe,
        recipe_config=LumifaceX4RecipeConfig,
        capabilities=Capabilities(("joint",), 4, FLOATS, tiling=False, aligned_face=True),
        presets={"lumiface-x4": {}},
    ),
    # Trained part by part (`registry/parts.py`): it has no recipe of its own.
    Method(
        name="prior3d",
        title="Low-light enhancement led by a 3D face that diffusion draws, taught by half-labelled data",
        source="Semi-supervised low-light face enhancement by a diffusion 3D prior and distillation (2026)",
        network=Prior3D,
        config=Prior3DConfig,
        recipe=None,
        recipe_config=None,
        capabilities=Capabilities(
            SAME_SIZE, 8, (torch.float32,), tiling=False, aligned_face=True, onnx=False
        ),
        presets={"prior3d-paper": PAPER, "prior3d-small": SMALL},
        in_parts=True,
    ),
    Method(
        name="fusion_bfr",
        title="Blind face restoration by codes that look at the picture, and a generator that they lead",
        source="Blind face restoration by feature fusion and embedding optimisation",
        network=FusionBFR,
        config=FusionBFRConfig,
        recipe=None,
        recipe_config=None,
        capabilities=Capabilities(
            ("blind",), 8, (torch.float32,), tiling=False, aligned_face=True, onnx=False
        ),
        presets={f"fusion-bfr-{size}": settings for size, settings in RESTORERS.items()},
        in_parts=True,
    ),
    Method(
        name="srcnn",
        title="SRCNN: the first CNN for super-resolution, the baseline",
        source="Dong, Loy, He, Tang: Image Super-Resolution Using Deep Convolutional Networks (TPAMI 2016)",
        network=SRCNN,
        config=SRCNNConfig,
        recipe=SRCNNRecipe,
        recipe_config=SRCNNRecipeConfig,
        capabilities=Capabilities(ENLARGING, 1, FLOATS, tiling=True, aligned_face=False),
        presets={
            "srcnn": {"variant": "9-5-5"},
            "srcnn-9-1-5": {"variant": "9-1-5"},
            "srcnn-3-1-5": {"variant": "3-1-5"},
        },
    ),
)

# The peers' own papers train with the mean absolute difference, or something close to it; here all do, so
# that a table compares networks.
_PEERS = (
    Method(
        name="edsr",
        title="EDSR, baseline: residual blocks without batch norm",
        source="Lim et al.: Enhanced Deep Residual Networks for Single Image Super-Resolution (CVPRW 2017)",
        network=EDSR,
        config=EDSRConfig,
        recipe=L1Recipe,
        recipe_config=L1RecipeConfig,
        capabilities=Capabilities(ENLARGING, 1, FLOATS, tiling=False, aligned_face=False),
        presets={"edsr": {}},
    ),
    Method(
        name="sparnet",
        title="SPARNet: spatial attention for face super-resolution",
        source="Chen et al.: Learning Spatial Attention for Face Super-Resolution (TIP 2021)",
        network=SPARNet,
        config=SPARNetConfig,
        recipe=L1Recipe,
        recipe_config=L1RecipeConfig,
        capabilities=Capabilities(ENLARGING, 1, FLOATS, tiling=False, aligned_face=True),
        presets={"sparnet": {}},
    ),
    Method(
        name="ctcnet",
        title="CTCNet: convolutions and transformers together, for faces",
        source="Gao et al.: A CNN-Transformer Cooperation Network for Face Image Super-Resolution (TIP 2023)",
        network=CTCNet,
        config=CTCNetConfig,
        recipe=L1Recipe,
        recipe_config=L1RecipeConfig,
        capabilities=Capabilities(ENLARGING, 1, FLOATS, tiling=False, aligned_face=True),
        presets={"ctcnet": {}},
    ),
    Method(
        name="swinir",
        title="SwinIR, lightweight: shifted-window attention",
        source="Liang et al.: SwinIR: Image Restoration Using Swin Transformer (ICCVW 2021)",
        network=SwinIR,
        config=SwinIRConfig,
        recipe=L1Recipe,
        recipe_config=L1RecipeConfig,
        capabilities=Capabilities(ENLARGING, 1, FLOATS, tiling=False, aligned_face=False),
        presets={"swinir": {}},
    ),
    Method(
        name="omnisr",
        title="Omni-SR: attention over space and channels at once",
        source="Wang et al.: Omni Aggregation Networks for Lightweight Image Super-Resolution (CVPR 2023)",
        network=OmniSR,
        config=OmniSRConfig,
        recipe=L1Recipe,
        recipe_config=L1RecipeConfig,
        capabilities=Capabilities(ENLARGING, 1, FLOATS, tiling=False, aligned_face=False),
        presets={"omnisr": {}},
    ),
    Method(
        name="lsr",
        title="LSR: super-resolution by lightening back-projection",
        source="Lightening super-resolution deep network for low-light image enhancement",
        network=LSR,
        config=LSRConfig,
        recipe=L1Recipe,
        recipe_config=L1RecipeConfig,
        capabilities=Capabilities(ENLARGING, 1, FLOATS, tiling=False, aligned_face=False),
        presets={"lsr": {}},
    ),
    Method(
        name="dln",
        title="DLN: low-light enhancement by lightening back-projection",
        source="Wang et al.: Lightening Network for Low-Light Image Enhancement (TIP 2020)",
        network=DLN,
        config=DLNConfig,
        recipe=L1Recipe,
        recipe_config=L1RecipeConfig,
        capabilities=Capabilities(SAME_SIZE, 1, FLOATS, tiling=False, aligned_face=False),
        presets={"dln": {}},
    ),
)

# The light alone, by methods that are trained without a bright counterpart, with their authors' weights.
_UNPAIRED = (
    Method(
        name="zero-dce",
        title="Zero-DCE: light curves estimated without a reference",
        source="Guo et al.: Zero-Reference Deep Curve Estimation for Low-Light Image Enhancement (CVPR 2020)",
        network=ZeroDCE,
        config=ZeroDCEConfig,
        recipe=ZeroDCERecipe,
        recipe_config=ZeroDCERecipeConfig,
        capabilities=Capabilities(SAME_SIZE, 1, FLOATS, tiling=False, aligned_face=False),
        presets={"zero-dce": {}},
        published={"zero-dce-published": ("zero_dce", zero_dce.load_official)},
    ),
    Method(
        name="sci",
        title="SCI: self-calibrated illumination",
        source="Ma et al.: Toward Fast, Flexible, and Robust Low-Light Image Enhancement (CVPR 2022)",
        network=SCI,
        config=SCIConfig,
        recipe=SCIRecipe,
        recipe_config=SCIRecipeConfig,
        capabilities=Capabilities(SAME_SIZE, 1, FLOATS, tiling=False, aligned_face=False),
        presets={"sci": {}},
        published={"sci-published": ("sci_medium", sci.load_official)},
    ),
)


def _classical(
    name: str, title: str, source: str, network: Any, config: type[BaseModel], **facts: Any
) -> Method:
    """A method from before the networks: nothing to learn, no weights."""
    tasks = ENLARGING if name == "bicubic" else SAME_SIZE
    known: dict[str, Any] = {"min_size": 1, "dtypes": FLOATS, "tiling": False, "aligned_face": False} | facts
    return Method(name, title, source, network, config, None, None, Capabilities(tasks, **known), {name: {}})


_CLASSICAL = (
    _classical(
        "bicubic",
        "Bicubic enlargement",
        "Keys: Cubic Convolution Interpolation (IEEE TASSP 1981)",
        Bicubic,
        BicubicConfig,
        onnx=False,
    ),
    _classical("gamma", "Mean gamma: a power that brings the mean to 0.5", "", GammaEnhancer, GammaConfig),
    _classical(
        "clahe",
        "CLAHE: local histograms made even, within limits",
        "Zuiderveld: Contrast Limited Adaptive Histogram Equalization (Graphics Gems IV, 1994)",
        CLAHEEnhancer,
        CLAHEConfig,
        dtypes=(torch.float32,),
        onnx=False,
    ),
    _classical(
        "lime",
        "LIME: division by a smoothed map of the light",
        "Guo, Li, Ling: Low-Light Image Enhancement via Illumination Map Estimation (TIP 2017)",
        LIMEEnhancer,
        LIMEConfig,
    ),
)

METHODS: dict[str, Method] = {method.name: method for method in (*_PAPERS, *_PEERS, *_UNPAIRED, *_CLASSICAL)}

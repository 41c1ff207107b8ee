"""The methods that this project is for: networks, configurations, how they are trained, what they can do."""

from __future__ import annotations

import torch

from lumiface.degradations.tasks import ENLARGING, SAME_SIZE
from lumiface.methods.fusion_bfr.model import FusionBFR, FusionBFRConfig
from lumiface.methods.fusion_bfr.presets import RESTORERS
from lumiface.methods.lfsrnet.model import LFSRNet, LFSRNetConfig
from lumiface.methods.lfsrnet.recipe import LFSRNetRecipe, LFSRNetRecipeConfig
from lumiface.methods.lfsrnet.widen import widen
from lumiface.methods.lumiface_x4.model import LumifaceX4, LumifaceX4Config
from lumiface.methods.lumiface_x4.recipe import LumifaceX4Recipe, LumifaceX4RecipeConfig
from lumiface.methods.prior3d.model import Prior3D, Prior3DConfig
from lumiface.methods.prior3d.presets import PAPER, SMALL
from lumiface.methods.srcnn.model import SRCNN, SRCNNConfig
from lumiface.methods.srcnn.recipe import SRCNNRecipe, SRCNNRecipeConfig
from lumiface.registry.spec import FLOATS, Capabilities, Method

PAPERS = (
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
        widen=widen,
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
        in_components=True,
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
        in_components=True,
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

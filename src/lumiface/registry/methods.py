"""The methods of this project: networks, configurations, recipes, capabilities."""

from __future__ import annotations

import torch

from lumiface.degradations.tasks import ENLARGING, SAME_SIZE
from lumiface.methods.fusion_bfr.model import FusionBFR, FusionBFRConfig
from lumiface.methods.fusion_bfr.presets import RESTORERS
from lumiface.methods.lfsrnet.model import LFSRNet, LFSRNetConfig
from lumiface.methods.lfsrnet.recipe import LFSRNetRecipe, LFSRNetRecipeConfig
from lumiface.methods.lfsrnet.widen import widen
from lumiface.methods.lumiface_photo.model import LumifacePhoto, LumifacePhotoConfig
from lumiface.methods.lumiface_photo.recipe import LumifacePhotoRecipe, LumifacePhotoRecipeConfig
from lumiface.methods.lumiface_x4.model import LumifaceX4, LumifaceX4Config
from lumiface.methods.lumiface_x4.recipe import LumifaceX4Recipe, LumifaceX4RecipeConfig
from lumiface.methods.prior3d.model import Prior3D, Prior3DConfig
from lumiface.methods.prior3d.presets import PAPER, PAPER_DDIM, SMALL
from lumiface.methods.srcnn.model import SRCNN, SRCNNConfig
from lumiface.methods.srcnn.recipe import SRCNNRecipe, SRCNNRecipeConfig
from lumiface.registry.spec import FLOATS, Capabilities, Spec, WorkingSizes


def _generator_sizes(config: FusionBFRConfig) -> WorkingSizes:
    """The generator synthesises faces of one size; a face with more detail than that keeps its own."""
    side = config.generator.resolution
    return WorkingSizes(side, side, side)


METHOD_SPECS = (
    Spec(
        name="lfsrnet",
        kind="method",
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
    Spec(
        name="lumiface_x4",
        kind="method",
        title="Our own: illumination as two numbers per channel, detail by a U-Net",
        source="this project: docs/research/lumiface-x4.md",
        network=LumifaceX4,
        config=LumifaceX4Config,
        recipe=LumifaceX4Recipe,
        recipe_config=LumifaceX4RecipeConfig,
        capabilities=Capabilities(("joint",), 4, FLOATS, tiling=False, aligned_face=True),
        presets={"lumiface-x4": {}},
    ),
    Spec(
        name="lumiface_photo",
        kind="method",
        title="Our own: enlarges whole photographs, all layers at a quarter of the output's side",
        source="this project: docs/use/background.md",
        network=LumifacePhoto,
        config=LumifacePhotoConfig,
        recipe=LumifacePhotoRecipe,
        recipe_config=LumifacePhotoRecipeConfig,
        capabilities=Capabilities(("sr",), 2, FLOATS, tiling=True, aligned_face=False),
        presets={"lumiface-photo-x4": {"scale": 4}, "lumiface-photo-x2": {"scale": 2}},
    ),
    Spec(
        name="prior3d",
        kind="method",
        title="Semi-supervised low-light enhancement guided by a 3D face prior sampled by diffusion",
        source="Semi-supervised low-light face enhancement by a diffusion 3D prior and distillation (2026)",
        network=Prior3D,
        config=Prior3DConfig,
        recipe=None,
        recipe_config=None,
        capabilities=Capabilities(
            SAME_SIZE,
            8,
            (torch.float32,),
            tiling=False,
            aligned_face=True,
            torch_only="its 3D prior is sampled in many random steps",
        ),
        presets={"prior3d-paper": PAPER, "prior3d-paper-ddim": PAPER_DDIM, "prior3d-small": SMALL},
        components=("prior3d-lifter", "prior3d-prior", "prior3d-enhancer"),
    ),
    Spec(
        name="fusion_bfr",
        kind="method",
        title="Blind face restoration: W+ codes refined by cross-attention, SFT into a pretrained generator",
        source="Blind face restoration by feature fusion and embedding optimisation",
        network=FusionBFR,
        config=FusionBFRConfig,
        recipe=None,
        recipe_config=None,
        capabilities=Capabilities(
            ("blind",),
            8,
            (torch.float32,),
            tiling=False,
            aligned_face=True,
            torch_only="its fidelity is set for each picture, and its latents are optimised by gradients",
            sizes=_generator_sizes,
        ),
        presets={f"fusion-bfr-{size}": settings for size, settings in RESTORERS.items()},
        components=("stylegan2", "fusion-bfr-restorer"),
    ),
    Spec(
        name="srcnn",
        kind="method",
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

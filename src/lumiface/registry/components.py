"""Components of methods: networks that are trained on their own."""

from __future__ import annotations

from lumiface.methods.face_embedder.model import FaceEmbedder, FaceEmbedderConfig
from lumiface.methods.face_embedder.recipe import FaceEmbedderRecipe, FaceEmbedderRecipeConfig
from lumiface.methods.fusion_bfr.autoencoder import AutoencoderRecipe, AutoencoderRecipeConfig
from lumiface.methods.fusion_bfr.convert_official import load_official
from lumiface.methods.fusion_bfr.generator import Generator, GeneratorConfig
from lumiface.methods.fusion_bfr.generator_recipe import GeneratorRecipe, GeneratorRecipeConfig
from lumiface.methods.fusion_bfr.model import FusionBFR, FusionBFRConfig
from lumiface.methods.fusion_bfr.presets import GENERATORS, RESTORERS
from lumiface.methods.fusion_bfr.restorer_recipe import RestorerRecipe, RestorerRecipeConfig
from lumiface.methods.prior3d.enhancer import Enhancer, EnhancerConfig
from lumiface.methods.prior3d.enhancer_recipe import EnhancerRecipe, EnhancerRecipeConfig
from lumiface.methods.prior3d.lifter import Lifter, LifterConfig
from lumiface.methods.prior3d.lifter_recipe import LifterRecipe, LifterRecipeConfig
from lumiface.methods.prior3d.presets import PAPER_PRIOR, SMALL_ENHANCER, SMALL_LIFTER, SMALL_PRIOR
from lumiface.methods.prior3d.prior import Prior, PriorConfig
from lumiface.methods.prior3d.prior_recipe import PriorRecipe, PriorRecipeConfig
from lumiface.registry.spec import Spec

COMPONENT_SPECS = (
    Spec(
        name="prior3d-lifter",
        kind="component",
        title="lifter: photograph and camera -> tri-plane -> rendering",
        network=Lifter,
        config=LifterConfig,
        recipe=LifterRecipe,
        recipe_config=LifterRecipeConfig,
        presets={
            "prior3d-lifter-paper": {"widths": (64, 96, 128, 192, 256)},
            "prior3d-lifter-small": SMALL_LIFTER,
        },
    ),
    Spec(
        name="prior3d-prior",
        kind="component",
        title="3D prior: dark photograph -> tri-plane of the face in normal light",
        network=Prior,
        config=PriorConfig,
        recipe=PriorRecipe,
        recipe_config=PriorRecipeConfig,
        presets={
            "prior3d-prior-paper": PAPER_PRIOR,
            "prior3d-prior-small": SMALL_PRIOR,
        },
    ),
    Spec(
        name="prior3d-enhancer",
        kind="component",
        title="enhancer: dark photograph and 3D prior -> the photograph in normal light",
        network=Enhancer,
        config=EnhancerConfig,
        recipe=EnhancerRecipe,
        recipe_config=EnhancerRecipeConfig,
        presets={"prior3d-enhancer-paper": {}, "prior3d-enhancer-small": SMALL_ENHANCER},
    ),
    Spec(
        name="stylegan2",
        kind="component",
        title="StyleGAN2 generator: the generative prior of blind restoration",
        network=Generator,
        config=GeneratorConfig,
        recipe=GeneratorRecipe,
        recipe_config=GeneratorRecipeConfig,
        presets={f"stylegan2-{size}": settings for size, settings in GENERATORS.items()},
        read_foreign=load_official,
    ),
    Spec(
        name="stylegan2-autoencoder",
        kind="component",
        title="the same generator, trained as the decoder of an autoencoder",
        network=Generator,
        config=GeneratorConfig,
        recipe=AutoencoderRecipe,
        recipe_config=AutoencoderRecipeConfig,
        presets={f"stylegan2-autoencoder-{size}": settings for size, settings in GENERATORS.items()},
    ),
    Spec(
        name="fusion-bfr-restorer",
        kind="component",
        title="restorer: degraded face -> restored face, with that generator as prior",
        network=FusionBFR,
        config=FusionBFRConfig,
        recipe=RestorerRecipe,
        recipe_config=RestorerRecipeConfig,
        presets={f"fusion-bfr-restorer-{size}": settings for size, settings in RESTORERS.items()},
    ),
    Spec(
        name="face-embedder",
        kind="component",
        title="face recogniser: aligned face -> embedding, whose cosine tells whether two are one person",
        network=FaceEmbedder,
        config=FaceEmbedderConfig,
        recipe=FaceEmbedderRecipe,
        recipe_config=FaceEmbedderRecipeConfig,
        presets={"face-embedder": {}},
    ),
)

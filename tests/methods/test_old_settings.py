"""Configurations written before settings were renamed are read."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lumiface.core.settings import Settings
from lumiface.methods.fusion_bfr.ada_augment import AugmentConfig
from lumiface.methods.fusion_bfr.autoencoder import AutoencoderRecipeConfig
from lumiface.methods.fusion_bfr.discriminator import DiscriminatorConfig
from lumiface.methods.fusion_bfr.generator_recipe import GeneratorRecipeConfig
from lumiface.methods.fusion_bfr.model import FusionBFRConfig
from lumiface.methods.fusion_bfr.restorer_recipe import RestorerRecipeConfig
from lumiface.methods.lumiface_x4.model import LumifaceX4Config
from lumiface.methods.prior3d.enhancer_recipe import EnhancerRecipeConfig
from lumiface.methods.prior3d.model import Prior3DConfig

SIZE: dict[str, Any] = {"resolution": 32, "base": 256, "most": 16}
CURRENT_SIZE: dict[str, Any] = {"resolution": 32, "channel_base": 256, "max_channels": 16}

CASES: list[tuple[type[Settings], dict[str, Any], dict[str, Any]]] = [
    (AugmentConfig, {"most": 0.5, "turns": True}, {"max_p": 0.5, "rot90": True}),
    (DiscriminatorConfig, SIZE, CURRENT_SIZE),
    (
        FusionBFRConfig,
        {"encoder": SIZE, "generator": SIZE},
        {"encoder": CURRENT_SIZE, "generator": CURRENT_SIZE},
    ),
    (
        GeneratorRecipeConfig,
        {"path": 1.0, "path_every": 4, "head_start": 3, "critic": {"group": 2}},
        {
            "path_length": 1.0,
            "path_length_every": 4,
            "discriminator_warmup_steps": 3,
            "discriminator": {"group": 2},
        },
    ),
    (
        AutoencoderRecipeConfig,
        {"shrink": 2, "noise": 0.1, "code": 0.5, "game": {"r1": 0.5}},
        {"vgg_downscale": 2, "latent_noise": 0.1, "latent_reg": 0.5, "gan": {"r1": 0.5}},
    ),
    (
        RestorerRecipeConfig,
        {"varied": 0.5, "damage": {}, "game": {"r1": 0.5}},
        {"random_fidelity_prob": 0.5, "degradation": {}, "gan": {"r1": 0.5}},
    ),
    (
        LumifaceX4Config,
        {"middle": 3, "drawn": (8, 4), "light": False},
        {"bottleneck": 3, "head_channels": (8, 4), "illumination_head": False},
    ),
    (
        EnhancerRecipeConfig,
        {"taught_by": "pairs", "shrink": 2},
        {"supervision": "paired", "vgg_downscale": 2},
    ),
    (
        Prior3DConfig,
        {"lead_side": 64, "prior": {"drawn_by": "regression", "draw_steps": 3}},
        {"prior_size": 64, "prior": {"estimator": "regression", "sampling_steps": 3}},
    ),
]


@pytest.mark.parametrize(("config", "old", "current"), CASES, ids=lambda case: getattr(case, "__name__", ""))
def test_old_and_current_spelling_are_equal(
    config: type[Settings], old: dict[str, Any], current: dict[str, Any]
) -> None:
    settings = config.model_validate(old)
    assert settings == config.model_validate(current)
    assert settings != config()
    with pytest.raises(ValidationError):
        config.model_validate({"unknown": 1})

"""Networks that are no method by themselves, but a part that one is made of; each is trained on its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel
from torch import nn

from lumiface.core.errors import InputError, SettingError
from lumiface.methods.fusion_bfr.autoencoder import AutoencoderRecipe, AutoencoderRecipeConfig
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
from lumiface.registry.build import checked
from lumiface.registry.checkpoints import fill, find_weights, read_metadata


@dataclass(frozen=True, slots=True)
class Part:
    """One line of the table: the network and how it is taught, each with its configuration.

    Attributes:
        name: its key in the table.
        title: what it is, in a line.
        network, config: the class and its configuration.
        recipe, recipe_config: what is minimised; takes its configuration and a seed.
        presets: name -> settings of the network.
    """

    name: str
    title: str
    network: Callable[[Any], nn.Module]
    config: type[BaseModel]
    recipe: Callable[[Any, int], nn.Module]
    recipe_config: type[BaseModel]
    presets: dict[str, dict[str, Any]]


_TABLE = (
    Part(
        name="prior3d-lifter",
        title="from a photograph and its camera to a tri-plane, and back to pictures",
        network=Lifter,
        config=LifterConfig,
        recipe=LifterRecipe,
        recipe_config=LifterRecipeConfig,
        presets={
            "prior3d-lifter-paper": {"widths": (64, 96, 128, 192, 256)},
            "prior3d-lifter-small": SMALL_LIFTER,
        },
    ),
    Part(
        name="prior3d-prior",
        title="from a dark photograph to the tri-plane of the same face in normal light",
        network=Prior,
        config=PriorConfig,
        recipe=PriorRecipe,
        recipe_config=PriorRecipeConfig,
        presets={
            "prior3d-prior-paper": PAPER_PRIOR,
            "prior3d-prior-small": SMALL_PRIOR,
        },
    ),
    Part(
        name="prior3d-enhancer",
        title="a dark photograph and its 3D prior to the same photograph in normal light",
        network=Enhancer,
        config=EnhancerConfig,
        recipe=EnhancerRecipe,
        recipe_config=EnhancerRecipeConfig,
        presets={"prior3d-enhancer-paper": {}, "prior3d-enhancer-small": SMALL_ENHANCER},
    ),
    Part(
        name="stylegan2",
        title="faces drawn from nothing: the generative prior of blind restoration",
        network=Generator,
        config=GeneratorConfig,
        recipe=GeneratorRecipe,
        recipe_config=GeneratorRecipeConfig,
        presets={f"stylegan2-{size}": settings for size, settings in GENERATORS.items()},
    ),
    Part(
        name="stylegan2-autoencoder",
        title="the same generator, taught to draw again the faces that it is shown",
        network=Generator,
        config=GeneratorConfig,
        recipe=AutoencoderRecipe,
        recipe_config=AutoencoderRecipeConfig,
        presets={f"stylegan2-autoencoder-{size}": settings for size, settings in GENERATORS.items()},
    ),
    Part(
        name="fusion-bfr-restorer",
        title="a damaged face to the same restored, led by that generator",
        network=FusionBFR,
        config=FusionBFRConfig,
        recipe=RestorerRecipe,
        recipe_config=RestorerRecipeConfig,
        presets={f"fusion-bfr-restorer-{size}": settings for size, settings in RESTORERS.items()},
    ),
)

COMPONENTS = {part.name: part for part in _TABLE}


def find_component(name: str) -> tuple[Part, dict[str, Any]]:
    """A part's or a preset's name -> the part and the preset's settings.

    Raises:
        SettingError: nothing is called so.
    """
    for part in COMPONENTS.values():
        if name == part.name or name in part.presets:
            return part, dict(part.presets.get(name, {}))
    known = [preset for part in COMPONENTS.values() for preset in part.presets]
    raise SettingError(f"no part is called {name!r}; there are {', '.join(sorted(known))}")


def build_component(name: str, settings: dict[str, Any] | None = None) -> nn.Module:
    """An untrained part by its own or a preset's name; `settings` overrule the preset's, one level deep.

    Raises:
        SettingError: there is no such part, or a setting is unknown or out of range.
    """
    part, preset = find_component(name)
    return part.network(checked(part.config, preset | (settings or {}), name))


def build_component_recipe(name: str, settings: dict[str, Any], seed: int) -> nn.Module:
    """How a part is taught; `settings` overrule the defaults of its losses.

    Raises:
        SettingError: a setting is unknown or out of range.
    """
    part, _ = find_component(name)
    return part.recipe(checked(part.recipe_config, settings, f"{name}: recipe"), seed)


def load_component(name_or_path: str | Path, kind: str, device: torch.device | str = "cpu") -> nn.Module:
    """A trained part, in evaluation mode, float32.

    Args:
        name_or_path: one of `shipped_components()`, or a file that `lumiface train` wrote.
        kind: the part that it must be, as in `COMPONENTS`.
        device: where it shall live.

    Raises:
        InputError: there is no such file, or it holds something else.
    """
    path = find_weights(name_or_path)
    facts = read_metadata(path)
    if facts["method"] != kind:
        raise InputError(f"{path} holds {facts['method']}, not {kind}; name the file of a {kind}")
    network = build_component(kind, facts["config"])
    fill(network, path)
    return network.eval().to(device)

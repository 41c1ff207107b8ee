"""The one table of methods, and the only door to networks for everything outside `papers` and `peers`."""

from __future__ import annotations

from lumiface.methods.chain import Chain
from lumiface.registry.build import build, build_recipe, configure, find_method, needs_training
from lumiface.registry.checkpoints import (
    begin_as,
    default_model,
    find_weights,
    knows_noise,
    list_models,
    load_model,
    read_facts,
    shipped_parts,
    shipped_weights,
)
from lumiface.registry.components import PARTS, build_part, build_part_recipe, find_part, load_part
from lumiface.registry.spec import Capabilities, Method, Recipe
from lumiface.registry.table import METHODS

__all__ = [
    "METHODS",
    "PARTS",
    "Capabilities",
    "Chain",
    "Method",
    "Recipe",
    "begin_as",
    "build",
    "build_part",
    "build_part_recipe",
    "build_recipe",
    "configure",
    "default_model",
    "find_method",
    "find_part",
    "find_weights",
    "knows_noise",
    "list_models",
    "load_model",
    "load_part",
    "needs_training",
    "read_facts",
    "shipped_parts",
    "shipped_weights",
]

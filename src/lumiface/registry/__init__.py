"""The one table of methods, and the only door to networks for everything outside `papers` and `peers`."""

from __future__ import annotations

from lumiface.methods.chain import Chain
from lumiface.registry.build import build, build_recipe, configure, find_method, needs_training
from lumiface.registry.checkpoints import (
    default_model,
    find_weights,
    init_from_checkpoint,
    list_models,
    load_model,
    read_metadata,
    shipped_components,
    shipped_weights,
    trained_on_camera,
)
from lumiface.registry.components import (
    COMPONENTS,
    build_component,
    build_component_recipe,
    find_component,
    load_component,
)
from lumiface.registry.spec import Capabilities, Method, Recipe
from lumiface.registry.table import METHODS

__all__ = [
    "COMPONENTS",
    "METHODS",
    "Capabilities",
    "Chain",
    "Method",
    "Recipe",
    "build",
    "build_component",
    "build_component_recipe",
    "build_recipe",
    "configure",
    "default_model",
    "find_component",
    "find_method",
    "find_weights",
    "init_from_checkpoint",
    "list_models",
    "load_component",
    "load_model",
    "needs_training",
    "read_metadata",
    "shipped_components",
    "shipped_weights",
    "trained_on_camera",
]

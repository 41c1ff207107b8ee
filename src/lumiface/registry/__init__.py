"""The one table of methods, and the only door to networks for everything outside `papers` and `peers`."""

from __future__ import annotations

from lumiface.registry.lookup import build, build_recipe, configure, find_method, needs_training
from lumiface.registry.method import Capabilities, Method, Recipe
from lumiface.registry.table import METHODS
from lumiface.registry.weights import (
    default_model,
    list_models,
    load_model,
    read_facts,
    shipped_weights,
)

__all__ = [
    "METHODS",
    "Capabilities",
    "Method",
    "Recipe",
    "build",
    "build_recipe",
    "configure",
    "default_model",
    "find_method",
    "list_models",
    "load_model",
    "needs_training",
    "read_facts",
    "shipped_weights",
]

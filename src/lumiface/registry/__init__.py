"""The registry of methods and their components: the only door to networks for the rooms above `methods`."""

from __future__ import annotations

from lumiface.methods.chain import Chain
from lumiface.registry.build import (
    COMPONENTS,
    METHODS,
    REGISTRY,
    build,
    build_recipe,
    configure,
    find_capabilities,
    find_spec,
    needs_training,
)
from lumiface.registry.checkpoints import (
    chain_stages,
    default_model,
    find_weights,
    foreign_stages,
    init_from_checkpoint,
    list_models,
    load_model,
    read_licence,
    read_metadata,
    shipped_components,
    shipped_weights,
    trained_on_camera,
    working_sizes,
)
from lumiface.registry.foreign import (
    describe_foreign,
    foreign_config,
    foreign_note,
    foreign_origin,
    foreign_task,
    is_foreign,
)
from lumiface.registry.spec import Capabilities, HasPrior, Recipe, Refinable, Spec, WorkingSizes

__all__ = [
    "COMPONENTS",
    "METHODS",
    "REGISTRY",
    "Capabilities",
    "Chain",
    "HasPrior",
    "Recipe",
    "Refinable",
    "Spec",
    "WorkingSizes",
    "build",
    "build_recipe",
    "chain_stages",
    "configure",
    "default_model",
    "describe_foreign",
    "find_capabilities",
    "find_spec",
    "find_weights",
    "foreign_config",
    "foreign_note",
    "foreign_origin",
    "foreign_stages",
    "foreign_task",
    "init_from_checkpoint",
    "is_foreign",
    "list_models",
    "load_model",
    "needs_training",
    "read_licence",
    "read_metadata",
    "shipped_components",
    "shipped_weights",
    "trained_on_camera",
    "working_sizes",
]

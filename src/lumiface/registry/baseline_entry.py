"""An entry for a baseline: trained here with the plain recipe or its own, or not trained at all."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from lumiface.degradations.tasks import ENLARGING
from lumiface.methods.base_recipe import L1Recipe, L1RecipeConfig
from lumiface.registry.spec import FLOATS, Capabilities, Spec


def baseline(
    name: str,
    title: str,
    source: str,
    network: Any,
    config: type[BaseModel],
    *,
    recipe: Any = L1Recipe,
    recipe_config: type[BaseModel] | None = L1RecipeConfig,
    **facts: Any,
) -> Spec:
    """A baseline.

    Their own papers train with the mean absolute difference, or something close to it; here all that name no
    other recipe do, so that a table compares networks.

    Args:
        recipe, recipe_config: None, both: nothing is trained.
        facts: fields of `Capabilities` other than the usual ones.
    """
    known: dict[str, Any] = {
        "tasks": ENLARGING,
        "min_size": 1,
        "dtypes": FLOATS,
        "tiling": False,
        "aligned_face": False,
    } | facts
    return Spec(
        name,
        "baseline",
        title,
        network,
        config,
        recipe,
        recipe_config,
        {name: {}},
        capabilities=Capabilities(**known),
        source=source,
    )

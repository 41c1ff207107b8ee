"""Entries of the registry found by name, and networks and recipes built from them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from torch import nn

from lumiface.core.errors import SettingError
from lumiface.core.settings import current_spelling, validate
from lumiface.registry.baselines import BASELINES
from lumiface.registry.components import COMPONENT_SPECS
from lumiface.registry.methods import METHOD_SPECS
from lumiface.registry.spec import Capabilities, Spec

REGISTRY: dict[str, Spec] = {spec.name: spec for spec in (*METHOD_SPECS, *BASELINES, *COMPONENT_SPECS)}
"""Every network that can be built, by name: methods, baselines, components. To add one, write its folder in
`methods` (or its file in `methods/baselines`) and its entry in the module of that kind beside this one."""

METHODS = {name: spec for name, spec in REGISTRY.items() if spec.kind != "component"}
COMPONENTS = {name: spec for name, spec in REGISTRY.items() if spec.kind == "component"}


def find_spec(name: str) -> tuple[Spec, dict[str, Any]]:
    """An entry's or a preset's name -> the entry, and the preset's settings (none for an entry's own name).

    A preset may bear the name of its entry; then the name means the preset.

    Raises:
        SettingError: nothing has this name.
    """
    for spec in REGISTRY.values():
        if name in spec.presets:
            return spec, dict(spec.presets[name])
        if name == spec.name or name in spec.official_weights:
            return spec, {}
    known = sorted(preset for spec in REGISTRY.values() for preset in spec.presets)
    raise SettingError(f"no method or component is called {name!r}; there are {', '.join(known)}")


def find_capabilities(name: str) -> Capabilities:
    """What a caller must know of a method, by its own or a preset's name.

    Raises:
        SettingError: no method has this name.
    """
    spec, _ = find_spec(name)
    if spec.capabilities is None:
        raise SettingError(f"{name} is a component of a method; it restores no picture by itself")
    return spec.capabilities


def configure(name: str, settings: dict[str, Any] | None = None) -> BaseModel:
    """The checked configuration of an entry or preset; `settings` overrule the preset's, one level deep.

    Raises:
        SettingError: nothing has this name, or a setting is unknown or out of range.
    """
    spec, preset = find_spec(name)
    given = preset | current_spelling(spec.config, settings or {})
    return validate(spec.config, given, lambda setting: f"{name}: setting {setting}")


def build(name: str, settings: dict[str, Any] | None = None) -> nn.Module:
    """An untrained network by its entry's or preset's name; `settings` overrule the preset's.

    Raises:
        SettingError: as `configure`.
    """
    return find_spec(name)[0].network(configure(name, settings))


def build_recipe(name: str, settings: dict[str, Any], seed: int) -> Any:
    """How a method or component is trained; `settings` overrule the defaults of its losses.

    Raises:
        SettingError: a setting is unknown, nothing is trained, or the method is trained by components.
    """
    spec, _ = find_spec(name)
    if spec.components:
        raise SettingError(
            f"{name} is trained by components ({', '.join(spec.components)}); name a configuration of one"
        )
    if spec.recipe is None or spec.recipe_config is None:
        raise SettingError(f"{name} has no trainable parameters; use it as it is")
    config = validate(spec.recipe_config, settings, lambda setting: f"{name}: recipe: setting {setting}")
    return spec.recipe(config, seed)


def needs_training(name: str) -> bool:
    """Whether a method or preset has weights to train, and the name does not mean its authors' own."""
    spec, _ = find_spec(name)
    return (spec.recipe is not None or bool(spec.components)) and name not in spec.official_weights

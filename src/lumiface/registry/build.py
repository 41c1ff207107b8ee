"""What is found in the table, and built from it, by name."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError
from torch import nn

from lumiface.core.errors import SettingError
from lumiface.registry.spec import Method, Recipe
from lumiface.registry.table import METHODS


def find_method(name: str) -> tuple[Method, dict[str, Any]]:
    """A method's or a preset's name -> the method and the preset's settings (none for a method's name).

    Raises:
        SettingError: nothing is called so.
    """
    if name in METHODS:
        return METHODS[name], {}
    for method in METHODS.values():
        if name in method.presets:
            return method, dict(method.presets[name])
        if name in method.published:
            return method, {}
    known = [preset for method in METHODS.values() for preset in method.presets]
    raise SettingError(f"no method is called {name!r}; there are {', '.join(sorted(known))}")


def configure(name: str, settings: dict[str, Any] | None = None) -> BaseModel:
    """The checked configuration of a method or preset; `settings` overrule the preset's.

    Raises:
        SettingError: there is no such method, or a setting is unknown or out of range.
    """
    method, preset = find_method(name)
    return checked(method.config, preset | (settings or {}), name)


def build(name: str, settings: dict[str, Any] | None = None) -> nn.Module:
    """An untrained network by its method's or preset's name; `settings` overrule the preset's."""
    return find_method(name)[0].network(configure(name, settings))


def build_recipe(name: str, settings: dict[str, Any], seed: int) -> Recipe:
    """How a method or preset is trained; `settings` overrule the defaults of its losses.

    Raises:
        SettingError: a setting is unknown, the method has nothing to learn, or it is trained in parts.
    """
    method, _ = find_method(name)
    if method.in_components:
        raise SettingError(f"{name} is trained part by part; name a configuration of one of its parts")
    if method.recipe is None or method.recipe_config is None:
        raise SettingError(f"{name} has nothing to learn; use it as it is")
    return method.recipe(checked(method.recipe_config, settings, f"{name}: recipe"), seed)


def needs_training(name: str) -> bool:
    """Whether a method or preset has weights to learn, and none of its authors are meant by the name."""
    method, _ = find_method(name)
    return (method.recipe is not None or method.in_components) and name not in method.published


def checked(config: type[BaseModel], settings: dict[str, Any], name: str) -> BaseModel:
    """A configuration from settings.

    Raises:
        SettingError: one is unknown or out of range; the line begins with `name`.
    """
    try:
        return config(**settings)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise SettingError(f"{name}: setting {place}: {first['msg']}") from error

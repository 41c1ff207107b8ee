"""Configurations of training runs from YAML files: the user's, and those that ship."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lumiface.core.errors import InputError, SettingError
from lumiface.core.settings import current_spelling, find_config, read_yaml, validate
from lumiface.registry import find_spec
from lumiface.training.config import RunConfig
from lumiface.training.tasks.table import config_class


def read_config(path: Path, overrides: dict[str, Any] | None = None) -> RunConfig:
    """A YAML file -> a checked configuration; `overrides` replace what the file says, unless they are None.

    A file that names a `component` describes a run that trains it; any other trains a method on pairs.

    A file may begin with `base: NAME`, another configuration, and then holds only what differs from it. With
    another method or component, the base's settings of network and recipe do not apply.

    Raises:
        InputError: the file or its base is absent, or holds no settings.
        SettingError: a setting is unknown or out of range; the line names it.
    """
    options = {key: value for key, value in (overrides or {}).items() if value is not None}
    settings = _read(path) | options
    try:
        kind = config_class(settings)
    except SettingError as error:
        raise SettingError(f"{path}: component: {error}") from error
    return validate(kind, settings, str(path))


def _read(path: Path, ancestors: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The settings of a file over those of its base; settings of network and recipe are merged one by one.

    `ancestors` are the files that are based on this one.
    """
    if path.resolve() in ancestors:
        raise InputError(f"{path}: it is its own base; name another configuration")
    own = read_yaml(path)
    if (name := own.pop("base", None)) is None:
        return current_spelling(config_class(own, default=True), own)
    base = _read(find_config(name), (*ancestors, path.resolve()))
    own = current_spelling(config_class(base | own, default=True), own)
    if _trained(base | own) != _trained(base):
        base = {key: value for key, value in base.items() if key not in ("network", "recipe")}
    for key, value in own.items():
        merge = isinstance(value, dict) and isinstance(base.get(key), dict)
        base[key] = base[key] | value if merge else value
    return base


def _trained(settings: dict[str, Any]) -> str:
    """The registry's entry that a run trains; the name itself where there is no such entry."""
    name = str(settings.get("component", settings.get("method")))
    try:
        return find_spec(name)[0].name
    except SettingError:
        return name

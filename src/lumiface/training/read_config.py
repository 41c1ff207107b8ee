"""Configurations from YAML files: those of the user, and those that ship."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from lumiface.core.errors import InputError, SettingError
from lumiface.registry import find_component
from lumiface.training.config import RunConfig, TrainConfig
from lumiface.training.part_config import (
    AutoencoderRun,
    BlindRestorerRun,
    ComponentRun,
    DiffusionPriorRun,
    EnhancerRun,
    LifterRun,
    StyleGAN2Run,
)

_BY_PART: dict[str, type[ComponentRun]] = {
    "prior3d-lifter": LifterRun,
    "prior3d-prior": DiffusionPriorRun,
    "prior3d-enhancer": EnhancerRun,
    "stylegan2-autoencoder": AutoencoderRun,
    "stylegan2": StyleGAN2Run,
    "fusion-bfr-restorer": BlindRestorerRun,
}


def read_config(path: Path, overrides: dict[str, Any] | None = None) -> RunConfig:
    """A YAML file -> a checked configuration; `overrides` replace what the file says, unless they are None.

    A file that names a `part` is of a run that trains it; any other trains a method on pairs.

    A file may begin with `base: NAME`, another configuration, of which it then holds only what differs.

    Raises:
        InputError: the file or its base is absent or no YAML.
        SettingError: a setting is unknown or out of range; the line names it.
    """
    raw = _read(path)
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    settings: dict[str, Any] = raw | given
    try:
        return _kind(settings, path)(**settings)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "settings"
        raise SettingError(f"{path}: {place}: {first['msg']}") from error


def _read(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """What a file says, on top of what its base says; settings of network and recipe one by one.

    `above` are the files that stand on this one.
    """
    if path.resolve() in above:
        raise InputError(f"{path}: it is its own base; name another configuration")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
    if not isinstance(raw, dict):
        raise InputError(f"{path}: expected settings, one `name: value` a line")
    own: dict[str, Any] = raw
    if (name := own.pop("base", None)) is None:
        return own
    base = _read(find_config(name), (*above, path.resolve()))
    for key, value in own.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        base[key] = base[key] | value if both else value
    return base


def _kind(settings: dict[str, Any], path: Path) -> type[RunConfig]:
    """Which kind of run: that of the part it trains, or of a method on pairs.

    Raises:
        SettingError: there is no such part.
    """
    if "part" not in settings:
        return TrainConfig
    try:
        return _BY_PART[find_component(str(settings["part"]))[0].name]
    except SettingError as error:
        raise SettingError(f"{path}: part: {error}") from error


def find_config(name_or_path: str | Path) -> Path:
    """A YAML file, or the name of one that ships ("lfsrnet-lite").

    Raises:
        InputError: there is neither a file nor a configuration of that name.
    """
    path = Path(name_or_path)
    shipped = shipped_configs()
    if path.is_file():
        return path
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    raise InputError(f"{path}: no such configuration; shipped are {', '.join(shipped)}, or give a YAML file")


def shipped_configs() -> dict[str, Path]:
    """Name -> file of the configurations that come with the package, or lie beside `src` in a checkout."""
    package = Path(str(resources.files("lumiface")))
    folders = (package / "configs", package.parents[1] / "configs")
    return {file.stem: file for folder in folders for file in sorted(folder.glob("*.yaml"))}

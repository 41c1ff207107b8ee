"""Configurations: their base class, the YAML reader, the wording of errors, the finder of shipped files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator

from lumiface.core.errors import InputError, SettingError
from lumiface.core.files import read_bytes

Model = TypeVar("Model", bound=BaseModel)


def _require_power_of_two(value: int) -> int:
    if value & (value - 1):
        raise ValueError(f"{value} is not a power of two")
    return value


PowerOfTwo = Annotated[int, AfterValidator(_require_power_of_two)]
"""A setting that is 1, 2, 4, 8, ..."""


class Settings(BaseModel):
    """Base of every configuration: unknown keys are refused, values are frozen, old spellings are read.

    Attributes:
        old_names: old key -> the key that replaced it.
        old_values: key -> its old values and what they are called today.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    old_names: ClassVar[Mapping[str, str]] = {}
    old_values: ClassVar[Mapping[str, Mapping[str, str]]] = {}

    @model_validator(mode="before")
    @classmethod
    def _read_old_spellings(cls, given: Any) -> Any:
        return current_spelling(cls, given) if isinstance(given, dict) else given


def current_spelling(model: type[BaseModel], given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` with the keys and values of today, for configurations and checkpoints written before a rename.

    Call it before settings are merged over others: a merge knows keys by their spelling alone.
    """
    names: dict[str, str] = {}
    replaced: dict[str, Mapping[str, str]] = {}
    for base in model.__mro__:
        names |= vars(base).get("old_names", {})
        replaced |= vars(base).get("old_values", {})
    found = {names.get(key, key): value for key, value in given.items()}
    for key, values in replaced.items():
        if isinstance(value := found.get(key), str):
            found[key] = values.get(value, value)
    return found


def validate(model: type[Model], given: Mapping[str, Any], where: str | Callable[[str], str] = "") -> Model:
    """A checked configuration.

    Args:
        model: its class.
        given: its settings.
        where: what the error's line begins with, before the setting's name; or a function of that name
            which gives the whole beginning.

    Raises:
        SettingError: a setting is unknown, missing or out of range; the line names it and says why.
    """
    try:
        return model(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        if callable(where):
            beginning = where(name)
        else:
            beginning = ": ".join(part for part in (where, name or "settings") if part)
        raise SettingError(f"{beginning}: {first['msg'].removeprefix('Value error, ')}") from error


def read_yaml(path: Path) -> dict[str, Any]:
    """The settings of a YAML file; none of one that holds only comments.

    Raises:
        InputError: the file is absent, or holds no settings.
    """
    try:
        raw: Any = yaml.safe_load(read_bytes(path)) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
    if not isinstance(raw, dict):
        raise InputError(f"{path}: expected settings, one `name: value` a line")
    return raw


def shipped_configs(folder: str = "") -> dict[str, Path]:
    """Name -> YAML file of what comes with the package, or lies beside `src` in a checkout.

    Args:
        folder: of comparisons ("compare/tables", "compare/budgets"); default: all configurations of training
            runs, whatever their folder.
    """
    package = Path(str(resources.files("lumiface")))
    roots = (package / "configs", package.parents[1] / "configs")
    files = [(root, file) for root in roots for file in sorted((root / folder).rglob("*.yaml"))]
    return {file.stem: file for root, file in files if folder or file.relative_to(root).parts[0] != "compare"}


def find_config(name_or_path: str | Path, kind: str = "configuration", folder: str = "") -> Path:
    """A YAML file, or the name of one that ships ("lfsrnet-lite").

    Raises:
        InputError: there is neither a file nor a shipped one of that name.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
    shipped = shipped_configs(folder)
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    raise InputError(f"{path}: no such {kind}; shipped are {', '.join(shipped)}, or give a YAML file")

"""What a table compares, and with which budget; the YAML files in `configs/compare/tables` and `configs/compare/budgets`."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator

from lumiface.core.errors import InputError, SettingError
from lumiface.core.settings import Settings

Settings = TypeVar("Settings", bound=BaseModel)


class Stage(Settings):
    """One network of a row: by its name alone, or with settings that overrule its preset's."""

    method: str = Field(description="method or preset, as `lumiface models` lists them")
    network: dict[str, Any] = Field(default_factory=dict, description="settings that overrule the preset's")
    recipe: dict[str, Any] = Field(default_factory=dict, description="settings of the method's losses")
    seed: int | None = Field(default=None, ge=0, description="instead of the budget's: how far does luck go?")


class Budget(Settings):
    """What every row of a table may spend: the same for all, or the rows could not be compared."""

    description: str = Field(description="for which machine, and what a whole table costs there")
    training: dict[str, Any] = Field(description="settings of every run, as in `lumiface train`'s files")
    networks: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="method -> settings that make it affordable, stated in the report"
    )


class Table(Settings):
    """Rows, sets and conventions of one table."""

    title: str = Field(description="heading of the report")
    budget: str = Field(default="tiny", description="name in configs/compare/budgets, or a YAML file")
    sets: list[str] = Field(description="test sets: folders or tars of faces; `{data}` is the data folder")
    hr_size: int = Field(default=128, ge=16, description="side of the bright pictures, pixels")
    scale: int = Field(default=4, ge=2, description="side of the bright picture over the small one's")
    seed: int = Field(default=0, ge=0, description="of the test sets' darkening")
    references: bool = Field(default=True, description="add bicubic, mean-gamma and the oracle")
    figure_faces: int = Field(default=6, ge=0, description="faces a set in the report's picture grids")
    rows: dict[str, list[Stage]] = Field(description="row's name -> its one or two stages, first to last")
    published: dict[str, Any] | None = Field(
        default=None, description="the paper's own figures: `columns` and `rows`, shown beside ours"
    )

    @field_validator("rows", mode="before")
    @classmethod
    def _short_forms(cls, rows: Any) -> Any:
        """`EDSR: edsr` and `DLN + EDSR: [dln, edsr]` are enough where nothing is to be set."""
        if not isinstance(rows, dict):
            return rows
        return {
            name: [
                {"method": stage} if isinstance(stage, str) else stage
                for stage in (given if isinstance(given, list) else [given])
            ]
            for name, given in rows.items()
        }

    @field_validator("rows")
    @classmethod
    def _one_or_two_stages(cls, rows: dict[str, list[Stage]]) -> dict[str, list[Stage]]:
        for name, stages in rows.items():
            if not 1 <= len(stages) <= 2:
                raise ValueError(f"{name} has {len(stages)} stages; a row has one or two")
        if not rows:
            raise ValueError("a table needs rows")
        return rows


def read_table(name_or_path: str | Path) -> Table:
    """A table by its file, or by the name of one that ships ("table2").

    Raises:
        InputError: there is no such file, or it is no YAML.
        SettingError: a setting is unknown or out of range; the line names it.
    """
    return _read(_find("tables", name_or_path), Table)


def read_budget(name_or_path: str | Path) -> Budget:
    """A budget by its file, or by the name of one that ships ("tiny", "gpu", "paper"); errors as above."""
    return _read(_find("budgets", name_or_path), Budget)


def _find(kind: str, name_or_path: str | Path) -> Path:
    path = Path(name_or_path)
    if path.is_file():
        return path
    package = Path(str(resources.files("lumiface")))
    for folder in (package / "configs", package.parents[1] / "configs"):
        shipped = folder / kind / f"{name_or_path}.yaml"
        if shipped.is_file():
            return shipped
    raise InputError(f"{path}: no such file, and no {kind[:-1]} of that name ships")


def _read(path: Path, model: type[Settings]) -> Settings:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); check the path") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
    if not isinstance(raw, dict):
        raise InputError(f"{path}: expected settings, one `name: value` a line")
    try:
        return model(**raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "settings"
        raise SettingError(f"{path}: {place}: {first['msg']}") from error

"""Settings of a table and of a budget: the YAML files in `configs/compare/{tables,budgets}`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from lumiface.core.settings import Settings, find_config, read_yaml, validate


class Stage(Settings):
    """One network of a row: by its name alone, or with settings that override its preset's."""

    method: str = Field(description="method or preset, as `lumiface models` lists them")
    network: dict[str, Any] = Field(default_factory=dict, description="settings that override the preset's")
    recipe: dict[str, Any] = Field(default_factory=dict, description="settings of the method's losses")
    seed: int | None = Field(
        default=None, ge=0, description="instead of the budget's, to measure the variance over seeds"
    )


class Budget(Settings):
    """Training of every row of a table: equal for all, so that the rows can be compared."""

    description: str = Field(description="for which machine, and the cost of a whole table there")
    training: dict[str, Any] = Field(description="settings of every run, as in `lumiface train`'s files")
    networks: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="method -> settings that reduce its cost, stated in the report"
    )


class Table(Settings):
    """Rows, sets and conventions of one table."""

    title: str = Field(description="heading of the report")
    budget: str = Field(default="tiny", description="name in configs/compare/budgets, or a YAML file")
    sets: list[str] = Field(description="test sets: folders or tars of faces; `{data}` is the data folder")
    hr_size: int = Field(default=128, ge=16, description="pixels per side of the bright pictures")
    scale: int = Field(default=4, ge=2, description="size of the bright picture over that of the small one")
    seed: int = Field(default=0, ge=0, description="of the test sets' darkening")
    references: bool = Field(default=True, description="add bicubic, mean-gamma and the oracle")
    figure_faces: int = Field(default=6, ge=0, description="faces per set in the report's picture grids")
    rows: dict[str, list[Stage]] = Field(description="row's name -> its one or two stages, in order")
    published: dict[str, Any] | None = Field(
        default=None, description="the paper's table: `columns` and `rows`, shown beside the measured scores"
    )

    @field_validator("rows", mode="before")
    @classmethod
    def _short_forms(cls, rows: Any) -> Any:
        """`EDSR: edsr` and `DLN + EDSR: [dln, edsr]` are enough where there are no settings."""
        if not isinstance(rows, dict):
            return rows
        return {
            name: [
                {"method": stage} if isinstance(stage, str) else stage
                for stage in (stages if isinstance(stages, list) else [stages])
            ]
            for name, stages in rows.items()
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
    """A table by its file, or by the name of a shipped one ("table2").

    Raises:
        InputError: there is no such file, or it is not valid YAML.
        SettingError: a setting is unknown or out of range; the line names it.
    """
    path = find_config(name_or_path, "table", "compare/tables")
    return validate(Table, read_yaml(path), str(path))


def read_budget(name_or_path: str | Path) -> Budget:
    """A budget by its file, or by the name of a shipped one ("tiny", "gpu", "paper"); errors as above."""
    path = find_config(name_or_path, "budget", "compare/budgets")
    return validate(Budget, read_yaml(path), str(path))

"""Settings of a table and of a budget: the YAML files in `configs/compare/{tables,budgets}`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from lumiface.core.errors import InputError
from lumiface.core.settings import Settings, find_config, read_yaml, validate
from lumiface.evaluation.protocols import BenchmarkName


class Stage(Settings):
    """One network of a row: a method or a training configuration, by its name alone or with settings."""

    method: str | None = Field(
        default=None, description="method or preset that is trained on pairs, as `lumiface models` lists them"
    )
    run: str | None = Field(
        default=None,
        description="instead: a training configuration of a component (by name or file), whose length the "
        "budget overrules",
    )
    weights: Literal["trained", "shipped"] = Field(
        default="trained", description="trained here at the budget, or the weights that ship with the package"
    )
    network: dict[str, Any] = Field(default_factory=dict, description="settings that override the preset's")
    recipe: dict[str, Any] = Field(default_factory=dict, description="settings of the losses")
    settings: dict[str, Any] = Field(
        default_factory=dict, description="of a `run`: further settings of its configuration"
    )
    seed: int | None = Field(default=None, ge=0, description="instead of the budget's")
    seeds: list[int] = Field(
        default_factory=list,
        description="further seeds: the row is trained with each; its interval is over seeds and pictures",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.method is None) == (self.run is None):
            raise ValueError("a stage has a method or a run, one of both")
        if self.weights == "shipped" and self.method is None:
            raise ValueError("weights: shipped: name a method")
        return self

    @property
    def name(self) -> str:
        """Of the method or of the training configuration."""
        return self.method or Path(self.run or "").stem


class TestSet(Settings):
    """One test set of a table."""

    source: str = Field(description="folder or tar of faces; `{data}` is the data folder")
    protocol: BenchmarkName | None = Field(default=None, description="instead of the table's")


class Budget(Settings):
    """Training of every row of a table: equal for all, so that the rows can be compared."""

    description: str = Field(description="for which machine, and the cost of a whole table there")
    training: dict[str, Any] = Field(description="settings of every run, as in `lumiface train`'s files")
    protocols: dict[BenchmarkName, dict[str, Any]] = Field(
        default_factory=dict,
        description="protocol -> settings of its tables' runs that differ from `training`",
    )
    components: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="component -> settings of its runs that overrule those of their configuration",
    )
    networks: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="method -> settings that reduce its cost, stated in the report"
    )


class Table(Settings):
    """Rows, sets and conventions of one table."""

    title: str = Field(description="heading of the report")
    budget: str = Field(default="tiny", description="name in configs/compare/budgets, or a YAML file")
    sets: list[TestSet] = Field(
        description="test sets: folders or tars of faces; `{data}` is the data folder"
    )
    protocol: BenchmarkName = Field(default="llf", description="how the sets' faces are degraded")
    hr_size: int = Field(default=128, ge=16, description="pixels per side of the clean pictures")
    scale: int = Field(default=4, ge=1, description="size of the clean picture over that of the input")
    limit: int | None = Field(default=None, ge=1, description="only the first N pictures of each set")
    seed: int = Field(default=0, ge=0, description="of the test sets' darkening")
    references: bool = Field(default=True, description="add the protocol's reference rows")
    figure_faces: int = Field(default=6, ge=0, description="faces per set in the report's picture grids")
    rows: dict[str, list[Stage]] = Field(description="row's name -> its one or two stages, in order")
    against: str | None = Field(
        default=None, description="row from which every other's difference is reported, metric by metric"
    )
    impossible: dict[str, str] = Field(
        default_factory=dict, description="the paper's rows that cannot be run -> the reason"
    )
    published: dict[str, Any] | None = Field(
        default=None, description="the paper's table: `columns` and `rows`, shown beside the measured scores"
    )

    @field_validator("sets", mode="before")
    @classmethod
    def _short_sets(cls, sets: Any) -> Any:
        """The source alone is enough."""
        if not isinstance(sets, list):
            return sets
        return [{"source": one} if isinstance(one, str) else one for one in sets]

    @model_validator(mode="after")
    def _scale_of_the_protocol(self) -> Self:
        if self.protocol != "llf" and self.scale != 1:
            raise ValueError(f"scale: protocol {self.protocol} keeps the size; set scale: 1")
        return self

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

    @model_validator(mode="after")
    def _against_a_row(self) -> Self:
        if self.against is not None and self.against not in self.rows:
            raise ValueError(f"against: no row is called {self.against}")
        return self

    @field_validator("rows")
    @classmethod
    def _one_or_two_stages(cls, rows: dict[str, list[Stage]]) -> dict[str, list[Stage]]:
        for name, stages in rows.items():
            if not 1 <= len(stages) <= 2:
                raise ValueError(f"{name} has {len(stages)} stages; a row has one or two")
            if len(stages) == 2 and any(stage.seeds for stage in stages):
                raise ValueError(f"{name}: further seeds are for rows of one stage")
        if not rows:
            raise ValueError("a table needs rows")
        return rows


def read_table(name_or_path: str | Path) -> Table:
    """A table by its file, or by the name of a shipped one ("table2").

    A file may begin with `base: NAME`, another table; what it says itself replaces what that one says.

    Raises:
        InputError: there is no such file, it is not valid YAML, or it is its own base.
        SettingError: a setting is unknown or out of range; the line names it.
    """
    path = find_config(name_or_path, "table", "compare/tables")
    return validate(Table, _with_base(path), str(path))


def _with_base(path: Path, ancestors: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The settings of a table's file over those of its base; `ancestors` are the files based on this one."""
    if path.resolve() in ancestors:
        raise InputError(f"{path}: it is its own base; name another table")
    own = read_yaml(path)
    if (name := own.pop("base", None)) is None:
        return own
    return _with_base(find_config(name, "table", "compare/tables"), (*ancestors, path.resolve())) | own


def read_budget(name_or_path: str | Path) -> Budget:
    """A budget by its file, or by the name of a shipped one ("tiny", "gpu", "paper"); errors as above."""
    path = find_config(name_or_path, "budget", "compare/budgets")
    return validate(Budget, read_yaml(path), str(path))

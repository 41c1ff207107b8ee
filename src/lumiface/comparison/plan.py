"""The training runs of a table under a budget; equal stages of different rows are one run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lumiface.comparison.config import Budget, Stage, Table
from lumiface.core.errors import SettingError
from lumiface.core.settings import find_config, validate
from lumiface.degradations.tasks import PairTask
from lumiface.evaluation.protocols import BenchmarkName
from lumiface.registry import configure, find_spec, needs_training
from lumiface.training.config import ComponentRun, RunConfig, TrainConfig
from lumiface.training.read_config import read_config


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """One network of a row.

    Attributes:
        method: its name in the registry, or that of its training configuration.
        task: its part in this row.
        run: configuration of its training; None where it has no parameters, or published or shipped weights.
        folder: of the run; None likewise.
    """

    method: str
    task: PairTask
    run: RunConfig | None
    folder: Path | None

    @property
    def model(self) -> str:
        """Argument of `load_model` once the run is finished."""
        return self.method if self.folder is None else str(self.folder / BEST)

    @property
    def is_trained(self) -> bool:
        return self.folder is None or is_finished(self.folder)


FINISHED = "finished.json"
"""Written when a run has reached its last step; a run that has it is never trained again."""

BEST = "best.safetensors"


def is_finished(folder: Path) -> bool:
    """Whether a run has reached its last step, and its weights still exist."""
    return (folder / FINISHED).is_file() and (folder / BEST).is_file()


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One row at one seed: its stages, and the folder of its scores.

    Attributes:
        name: unique; of further seeds "NAME, seed N".
        group: the table's name of the row, which its seeds share.
    """

    name: str
    stages: tuple[PlannedStage, ...]
    score_folder: Path
    group: str

    @property
    def model(self) -> str:
        return " + ".join(stage.model for stage in self.stages)

    @property
    def is_trained(self) -> bool:
        return all(stage.is_trained for stage in self.stages)


def plan_rows(table: Table, budget: Budget, folder: Path) -> list[PlannedRow]:
    """All rows of `table` under `budget`, with runs and scores below `folder`.

    Raises:
        SettingError: a method or setting is unknown, or a row's stages do not have the table's scale.
    """
    planned: list[PlannedRow] = []
    for name, stages in table.rows.items():
        planned.append(_row(name, name, stages, table, budget, folder))
        for seed in stages[0].seeds:
            seeded = [stages[0].model_copy(update={"seed": seed})]
            planned.append(_row(f"{name}, seed {seed}", name, seeded, table, budget, folder))
    return planned


def planned_runs(rows: list[PlannedRow]) -> dict[Path, RunConfig]:
    """Each run once, in the order of the rows: folder -> configuration."""
    return {
        stage.folder: stage.run
        for row in rows
        for stage in row.stages
        if stage.run is not None and stage.folder is not None
    }


def _row(
    name: str, group: str, stages: list[Stage], table: Table, budget: Budget, folder: Path
) -> PlannedRow:
    tasks: list[PairTask]
    if table.protocol == "llf":
        settings = [_network_settings(stage, budget) for stage in stages]
        scales: list[int] = [
            configure(stage.name, network).model_dump().get("scale", 1)
            for stage, network in zip(stages, settings, strict=True)
        ]
        tasks = _tasks(name, scales, table.scale)
    elif len(stages) == 1:
        tasks = [_damage_task(table.protocol)]
    else:
        raise SettingError(f"row {name}: chains are for the protocol llf")
    planned = tuple(
        _stage(stage, task, table, budget, folder) for stage, task in zip(stages, tasks, strict=True)
    )
    # A hash of the runs' names and not of their paths: scores may be moved to another folder.
    models = json.dumps([stage.folder.name if stage.folder else stage.method for stage in planned])
    slug = f"{_slug(name)}-{hashlib.sha256(models.encode()).hexdigest()[:8]}"
    return PlannedRow(name, planned, folder / "scores" / _score_room(table) / slug, group)


def _score_room(table: Table) -> str:
    """A folder of its own for the scores of each protocol, size and limit; none for those of LLF."""
    if table.protocol == "llf" and table.limit is None:
        return ""
    limit = "" if table.limit is None else f"-{table.limit}"
    return f"{table.protocol}-{table.hr_size}{limit}"


def _damage_task(protocol: BenchmarkName) -> PairTask:
    if protocol == "frr" or protocol == "blind":
        return protocol
    raise SettingError(f"protocol {protocol}: a table's networks are trained for llf, frr or blind")


def _tasks(name: str, scales: list[int], scale: int) -> list[PairTask]:
    match [scale > 1 for scale in scales]:
        case [True] if scales == [scale]:
            return ["joint"]
        case [False, True] if scales[1] == scale:
            return ["enhance-small", "sr"]
        case [True, False] if scales[0] == scale:
            return ["sr-dark", "enhance"]
        case _:
            raise SettingError(
                f"row {name}: scales {scales} do not give x{scale} in one network, or in one that enlarges "
                "and one that keeps the size"
            )


def _stage(stage: Stage, task: PairTask, table: Table, budget: Budget, folder: Path) -> PlannedStage:
    if stage.run is not None:
        run = _component_run(stage, budget)
        return PlannedStage(stage.name, task, run, _run_folder(folder, run.name, task, run))
    if stage.weights == "shipped" or not needs_training(stage.name):
        return PlannedStage(stage.name, task, None, None)
    settings: dict[str, Any] = {
        **budget.training,
        **budget.protocols.get(table.protocol, {}),
        "name": stage.name,
        "method": stage.name,
        "network": _network_settings(stage, budget),
        "recipe": stage.recipe,
        "task": task,
        "downscale": table.scale,
        "hr_size": table.hr_size,
    }
    if table.protocol != "llf":  # whole faces of `hr_size`; a run names them by half of it
        settings |= {"downscale": 2, "sizes": [{"side": table.hr_size // 2, "weight": 1.0}]}
    if stage.seed is not None:
        settings["seed"] = stage.seed
    run = validate(TrainConfig, settings, "budget")
    return PlannedStage(stage.name, task, run, _run_folder(folder, stage.name, task, run))


def _component_run(stage: Stage, budget: Budget) -> RunConfig:
    """A training configuration with the budget's settings of its component, then with those of the row."""
    path = find_config(stage.run or "")
    base = read_config(path)
    if not isinstance(base, ComponentRun):
        raise SettingError(f"{path} trains a method on pairs; name it under method")
    budgeted = budget.components.get(find_spec(base.component)[0].name, {})
    settings: dict[str, Any] = {
        **base.model_dump(exclude_unset=True),
        **budgeted,
        **stage.settings,
        "network": base.network | stage.network,
        "recipe": base.recipe | budgeted.get("recipe", {}) | stage.recipe,
    }
    if stage.seed is not None:
        settings["seed"] = stage.seed
    return validate(type(base), settings, str(path))


def _run_folder(folder: Path, name: str, task: PairTask, run: RunConfig) -> Path:
    # The folder's name says what is trained; the hash changes with every setting that is not its default, so
    # that a new setting changes none.
    changed = json.dumps(run.model_dump(exclude_defaults=True), sort_keys=True)
    digest = hashlib.sha256(changed.encode()).hexdigest()[:8]
    return folder / "runs" / f"{name}-{task}-{digest}"


def _network_settings(stage: Stage, budget: Budget) -> dict[str, Any]:
    """A preset's settings override those of its method; the row's own override both."""
    method = find_spec(stage.name)[0].name
    return {
        **budget.networks.get(method, {}),
        **budget.networks.get(stage.name, {}),
        **stage.network,
    }


def _slug(name: str) -> str:
    text = "".join(letter if letter.isalnum() else "-" for letter in name.lower())
    return "-".join(word for word in text.split("-") if word)

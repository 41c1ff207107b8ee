"""The training runs of a table under a budget; equal stages of different rows are one run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lumiface.comparison.config import Budget, Stage, Table
from lumiface.core.errors import SettingError
from lumiface.core.settings import validate
from lumiface.degradations.tasks import PairTask
from lumiface.registry import configure, find_spec, needs_training
from lumiface.training.config import TrainConfig


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """One network of a row.

    Attributes:
        method: its name in the registry.
        task: its part in this row.
        run: configuration of its training; None where it has no parameters or published weights.
        folder: of the run; None likewise.
    """

    method: str
    task: PairTask
    run: TrainConfig | None
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
    """One row: its stages, and the folder of its scores."""

    name: str
    stages: tuple[PlannedStage, ...]
    score_folder: Path

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
    return [_row(name, stages, table, budget, folder) for name, stages in table.rows.items()]


def planned_runs(rows: list[PlannedRow]) -> dict[Path, TrainConfig]:
    """Each run once, in the order of the rows: folder -> configuration."""
    return {
        stage.folder: stage.run
        for row in rows
        for stage in row.stages
        if stage.run is not None and stage.folder is not None
    }


def _row(name: str, stages: list[Stage], table: Table, budget: Budget, folder: Path) -> PlannedRow:
    settings = [_network_settings(stage, budget) for stage in stages]
    scales: list[int] = [
        configure(stage.method, network).model_dump().get("scale", 1)
        for stage, network in zip(stages, settings, strict=True)
    ]
    planned = tuple(
        _stage(stage, network, task, table, budget, folder)
        for stage, network, task in zip(stages, settings, _tasks(name, scales, table.scale), strict=True)
    )
    # A hash of the runs' names and not of their paths: scores may be moved to another folder.
    models = json.dumps([stage.folder.name if stage.folder else stage.method for stage in planned])
    slug = f"{_slug(name)}-{hashlib.sha256(models.encode()).hexdigest()[:8]}"
    return PlannedRow(name, planned, folder / "scores" / slug)


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


def _stage(
    stage: Stage, network: dict[str, Any], task: PairTask, table: Table, budget: Budget, folder: Path
) -> PlannedStage:
    if not needs_training(stage.method):
        return PlannedStage(stage.method, task, None, None)
    settings: dict[str, Any] = {
        **budget.training,
        "name": stage.method,
        "method": stage.method,
        "network": network,
        "recipe": stage.recipe,
        "task": task,
        "downscale": table.scale,
        "hr_size": table.hr_size,
    }
    if stage.seed is not None:
        settings["seed"] = stage.seed
    run = validate(TrainConfig, settings, "budget")
    # The folder's name says what is trained; the hash changes with every setting that is not its default, so
    # that a new setting changes none.
    changed = json.dumps(run.model_dump(exclude_defaults=True), sort_keys=True)
    digest = hashlib.sha256(changed.encode()).hexdigest()[:8]
    return PlannedStage(stage.method, task, run, folder / "runs" / f"{stage.method}-{task}-{digest}")


def _network_settings(stage: Stage, budget: Budget) -> dict[str, Any]:
    """A preset's settings override those of its method; the row's own override both."""
    method = find_spec(stage.method)[0].name
    return {
        **budget.networks.get(method, {}),
        **budget.networks.get(stage.method, {}),
        **stage.network,
    }


def _slug(name: str) -> str:
    text = "".join(letter if letter.isalnum() else "-" for letter in name.lower())
    return "-".join(word for word in text.split("-") if word)

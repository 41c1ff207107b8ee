"""What can be done to a face, and at which size it goes through a network for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lumiface.degradations.tasks import Task
from lumiface.errors import SettingError
from lumiface.registry import default_model, find_method, read_facts, shipped_weights

FaceTaskName = Literal["joint", "enhance"]


@dataclass(frozen=True, slots=True)
class FaceTask:
    """One thing that `restore` does.

    Attributes:
        name: as the user asks for it.
        learnt: what a network must have been trained for.
        scale: how many times larger the photograph becomes unless another scale is asked for.
        least, most: sides of the aligned face, pixels, between which the shipped networks were trained.
        largest: above this a face has more detail of its own than the network gives; it is given light only.
        quiet: the noise is taken out before, because the network has not learnt to.
    """

    name: FaceTaskName
    learnt: Task
    scale: Literal[1, 2, 4]
    least: int
    most: int
    largest: int
    quiet: bool

    def side(self, native: float) -> int:
        """The size at which a face goes through the network: its own, within what the network has seen."""
        if native > self.largest:
            return self.most
        return min(max(8 * round(native / 8), self.least), max(self.most, self.largest))


FACE_TASKS: dict[FaceTaskName, FaceTask] = {
    "joint": FaceTask("joint", "joint", 4, least=32, most=64, largest=96, quiet=True),
    # The enhancer's prior knows faces of one size; smaller ones are enlarged for it and come back small.
    "enhance": FaceTask("enhance", "lighten", 1, least=256, most=256, largest=256, quiet=False),
}


def choose_task(asked: FaceTaskName | None, model: str | None) -> tuple[FaceTask, str]:
    """The task and the model for it, from what was asked for: either, both, or nothing.

    Raises:
        SettingError: the model was trained for something else.
        InputError: there is no such model, or none ships for the task.
    """
    if model is None:
        task = FACE_TASKS[asked or "joint"]
        return task, default_model(task.learnt)
    can = _learnt(model)
    if asked is not None:
        if can is not None and FACE_TASKS[asked].learnt not in can:
            fit = ", ".join(name for name, task in FACE_TASKS.items() if task.learnt in can)
            raise SettingError(f"{model} was not made for the task {asked}; it is for: {fit or 'no task'}")
        return FACE_TASKS[asked], model
    for task in FACE_TASKS.values():
        if can is None or task.learnt in can:
            return task, model
    raise SettingError(f"{model} enlarges no face and lights none; choose another model")


def _learnt(model: str) -> tuple[Task, ...] | None:
    """What a model can have been trained for; None where that is not known before it is loaded (a chain)."""
    from pathlib import Path

    path = shipped_weights().get(model, Path(model))
    try:
        name: str = read_facts(path)["method"] if path.is_file() else model
        return find_method(name)[0].capabilities.tasks
    except SettingError:
        return None

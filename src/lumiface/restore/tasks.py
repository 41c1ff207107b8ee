"""What can be done to a face, at which size it goes through a network for it, and what serves it best."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from lumiface.core.errors import InputError, SettingError
from lumiface.degradations.tasks import Task
from lumiface.faces.measure import FaceMeasures, exposure_weight
from lumiface.registry import default_model, find_method, find_weights, read_metadata

FaceTaskName = Literal["joint", "enhance", "blind"]
TaskOption = Literal["joint", "enhance", "blind", "auto"]


@dataclass(frozen=True, slots=True)
class FaceTask:
    """One thing that `restore` does.

    Attributes:
        name: as the user asks for it.
        learnt: what a network must have been trained for.
        scale: how many times larger the photograph becomes unless another scale is asked for.
        least, most: sides of the aligned face, pixels, between which the shipped networks were trained.
        largest: above this a face has more detail of its own than the network gives; it is given light only.
        quiet: the noise is taken out before, unless the network has learnt to see through it.
        generative: the network draws the face anew, led by what it sees: it can be led more or less closely
            (fidelity, refine), may colour what is grey, and goes by a face's detail, not by its size.
    """

    name: FaceTaskName
    training_task: Task
    scale: Literal[1, 2, 4]
    least: int
    most: int
    largest: int
    quiet: bool
    generative: bool = False

    def side(self, native: float) -> int:
        """The size at which a face goes through the network: its own, within what the network has seen."""
        if native > self.largest:
            return self.most
        return min(max(8 * round(native / 8), self.least), max(self.most, self.largest))


FACE_TASKS: dict[FaceTaskName, FaceTask] = {
    "joint": FaceTask("joint", "joint", 4, least=32, most=64, largest=96, quiet=True),
    # The enhancer's prior knows faces of one size; smaller ones are enlarged for it and come back small.
    "enhance": FaceTask("enhance", "enhance", 1, least=256, most=256, largest=256, quiet=False),
    # The restorer's generator draws faces of one size; what has more detail than that keeps its own.
    "blind": FaceTask("blind", "blind", 1, least=64, most=64, largest=64, quiet=False, generative=True),
}

BLURRED = 0.6
"""A face whose detail would fit into less than this share of its side has lost some."""


@dataclass(frozen=True, slots=True)
class TaskChoice:
    """What serves a photograph best, and why, in a few words."""

    task: FaceTaskName
    why: str


def available_tasks() -> list[FaceTaskName]:
    """The tasks that a model ships for."""
    served: list[FaceTaskName] = []
    for name, task in FACE_TASKS.items():
        try:
            default_model(task.training_task)
        except InputError:
            continue
        served.append(name)
    return served


def select_task(face: FaceMeasures | None, can: Collection[FaceTaskName]) -> TaskChoice:
    """Which task serves a face: by its light, and by how much detail it has.

    Args:
        face: the main face; None where there is none.
        can: the tasks to choose from; "joint" is always among them.
    """
    alone: FaceTaskName = "enhance" if "enhance" in can else "joint"
    if face is None:
        return TaskChoice(alone, "no face found")
    dark, joint = exposure_weight(face.light) < 0.5, FACE_TASKS["joint"]
    if dark and face.detail <= joint.largest:
        return TaskChoice("joint", "dark, little detail")
    if dark:
        return TaskChoice(alone, "dark, enough detail")
    if "blind" in can and face.detail <= FACE_TASKS["blind"].largest and face.detail < BLURRED * face.side:
        return TaskChoice("blind", "enough light, blurred")
    if face.side <= joint.largest:
        return TaskChoice("joint", "enough light, small")
    return TaskChoice(alone, "light and sharp: little to do")


def resolve_task(asked: FaceTaskName | None, model: str | None) -> tuple[FaceTask, str]:
    """The task and the model for it, from what was asked for: either, both, or nothing.

    Raises:
        SettingError: the model was trained for something else.
        InputError: there is no such model, or none ships for the task.
    """
    if model is None:
        task = FACE_TASKS[asked or "joint"]
        return task, default_model(task.training_task)
    can = _learnt(model)
    if asked is not None:
        if can is not None and FACE_TASKS[asked].training_task not in can:
            fit = ", ".join(name for name, task in FACE_TASKS.items() if task.training_task in can)
            raise SettingError(f"{model} was not made for the task {asked}; it is for: {fit or 'no task'}")
        return FACE_TASKS[asked], model
    for task in FACE_TASKS.values():
        if can is None or task.training_task in can:
            return task, model
    raise SettingError(f"{model} enlarges no face and lights none; choose another model")


def _learnt(model: str) -> tuple[Task, ...] | None:
    """What a model can have been trained for; None where that is not known before it is loaded (a chain)."""
    try:
        name: str = read_metadata(model)["method"] if find_weights(model).is_file() else model
        return find_method(name)[0].capabilities.tasks
    except SettingError:
        return None

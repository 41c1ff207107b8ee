"""What `restore` can do to a face, which model does it, and which task suits a face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lumiface.core.errors import InputError, SettingError
from lumiface.degradations.tasks import Task
from lumiface.faces.effective_resolution import CROP_SIZE
from lumiface.faces.measure import FaceMeasures, exposure_weight, is_readable
from lumiface.registry import (
    WorkingSizes,
    default_model,
    find_capabilities,
    find_weights,
    read_metadata,
    working_sizes,
)

FaceTaskName = Literal["joint", "enhance", "blind"]
TaskOption = Literal["joint", "enhance", "blind", "auto"]


@dataclass(frozen=True, slots=True)
class FaceTask:
    """One task of `restore`. The sizes at which faces are processed are the model's (`WorkingSizes`).

    Attributes:
        name: as the user names it.
        training_task: what a network must have been trained for.
        scale: how many times larger the photograph becomes unless another scale is requested.
        denoise: noise is removed before the network, unless it was trained on noisy images.
        generative: the network synthesises the face from a prior, guided by the input: its fidelity can be
            set, it may colour what is grey, and not a face's size but its detail decides whether it is
            restored.
    """

    name: FaceTaskName
    training_task: Task
    scale: Literal[1, 2, 4]
    denoise: bool
    generative: bool = False


FACE_TASKS: dict[FaceTaskName, FaceTask] = {
    "joint": FaceTask("joint", "joint", 4, denoise=True),
    "enhance": FaceTask("enhance", "enhance", 1, denoise=False),
    "blind": FaceTask("blind", "blind", 1, denoise=False, generative=True),
}

BLURRED = 0.6
"""A face whose effective resolution is below this fraction of its size has lost detail."""

BLOCKY, BETWEEN_BLOCKS = 1.0, (0.85, 0.4)
"""Step at the borders of JPEG's blocks, 8-bit levels, from which its ringing is read as detail. Of 24 faces
reduced to 64 to 128 pixels, enlarged to 256 and compressed at quality 20 to 30, the detail was read as 73 to
217, that of sharp faces at such quality as 236 and more: below the first fraction of its size a face is not
sharp, and is then taken to have at most the second of it."""

NOISY = 6.0
"""Noise, 8-bit levels, that is removed from a face of little detail; pores and grain are read as up to 4."""

TOO_DARK = "too dark to read: given light, nothing drawn"
"""What is said of a face that is not readable (`faces.measure.is_readable`)."""


@dataclass(frozen=True, slots=True)
class TaskChoice:
    """What suits a face.

    Attributes:
        task: None for a face that lacks nothing.
        why: the reason in a few words.
        both: the networks of "joint" and "blind" restore the face together.
    """

    task: FaceTaskName | None
    why: str
    both: bool = False


def available_tasks() -> dict[FaceTaskName, WorkingSizes]:
    """The tasks for which a model ships, with the working sizes of that model."""
    available: dict[FaceTaskName, WorkingSizes] = {}
    for name, task in FACE_TASKS.items():
        try:
            available[name] = working_sizes(default_model(task.training_task))
        except InputError:
            continue
    return available


def select_task(face: FaceMeasures, available: Mapping[FaceTaskName, WorkingSizes]) -> TaskChoice:
    """What a face lacks decides: light, detail, both, or nothing.

    Args:
        face: its measures.
        available: the tasks to choose from; "joint" is always among them.
    """
    joint, blind = available["joint"], available.get("blind")
    if not is_readable(face):
        return TaskChoice("joint", TOO_DARK)
    dark, blurred, detail = exposure_weight(face.light) < 1.0, is_blurred(face), own_detail(face)
    if dark and blurred and detail <= joint.largest:
        return TaskChoice("joint", "dark and blurred")
    if dark:
        return TaskChoice("joint", "dark, small" if face.side <= joint.trusted else "dark, enough detail")
    if blurred and blind is not None and detail <= blind.trusted:
        return TaskChoice("blind", f"enough light, {'blocks' if detail < face.detail else 'blurred'}")
    if face.side <= joint.trusted:
        return TaskChoice("joint", "enough light, small")
    if face.noise >= NOISY and blind is not None and detail <= blind.trusted:
        return TaskChoice("blind", "enough light, noisy")
    return TaskChoice(None, "light and sharp: nothing to do")


def own_detail(face: FaceMeasures) -> float:
    """The detail of a face, without what is only ringing between JPEG's blocks; see BLOCKY."""
    side = min(face.side, CROP_SIZE)
    sharp, most = BETWEEN_BLOCKS
    # In larger faces, which are reduced to be measured, the ringing is too fine to be read.
    blocky = face.blocks >= BLOCKY and face.detail < sharp * side and face.side < 1.5 * CROP_SIZE
    return min(face.detail, most * side) if blocky else face.detail


def is_blurred(face: FaceMeasures) -> bool:
    """Whether a face has lost detail that its size could hold."""
    return own_detail(face) < BLURRED * face.side


def resolve_task(option: FaceTaskName | None, model: str | None) -> tuple[FaceTask, str]:
    """The task and its model, from the options: either, both, or neither.

    Raises:
        SettingError: the model was trained for another task.
        InputError: there is no such model, or none ships for the task.
    """
    if model is None:
        task = FACE_TASKS[option or "joint"]
        return task, default_model(task.training_task)
    trained_for = _training_tasks(model)
    if option is not None:
        if trained_for is not None and FACE_TASKS[option].training_task not in trained_for:
            fitting = ", ".join(
                name for name, task in FACE_TASKS.items() if task.training_task in trained_for
            )
            raise SettingError(
                f"{model} was not trained for the task {option}; it is for: {fitting or 'no task'}"
            )
        return FACE_TASKS[option], model
    for task in FACE_TASKS.values():
        if trained_for is None or task.training_task in trained_for:
            return task, model
    raise SettingError(f"{model} neither enlarges nor brightens faces; choose another model")


def _training_tasks(model: str) -> tuple[Task, ...] | None:
    """The tasks that a model can have been trained for; None where only loading it shows (a chain)."""
    try:
        name: str = read_metadata(model)["method"] if find_weights(model).is_file() else model
        return find_capabilities(name).tasks
    except SettingError:
        return None

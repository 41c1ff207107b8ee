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
    foreign_config,
    foreign_task,
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
"""A face whose effective resolution is below this fraction of its size has lost detail. Measured on 80 faces
at 128 and 256 pixels: clean ones have 0.90 to 1, ones darkened as by a camera 0.54 to 1 (5 % quantile to
median), damaged ones 0.10 to 0.52, in the light and in the dark alike."""

REDRAWN_UP_TO = 1.25
"""Largest blurred face that both networks restore together, in multiples of the blind network's size, whose
result would be blurred in a larger one."""

REDRAWN = 0.6
"""Effective resolution, over the size up to which the blind network is trusted, below which a blurred face is
redrawn; one that has more keeps it. Of 24 faces reduced to 48 to 128 pixels (LPIPS; the network's output for
128 pixels) those of 48 gain in every case, those of 64 (read as 61) in 14 cases, and those of 80 (read as 90)
lose; compressed at quality 50 before they are enlarged, all up to 80 gain."""

BLOCKY = (1.5, 2.5)
"""Step at the borders of JPEG's blocks, 8-bit levels, above which a face that is not sharp, and any face, is
damaged. The ringing between blocks is read as detail: a face reduced to 64 pixels, enlarged to 256 and
compressed at quality 20 is read as 168. Redrawn, 20 of 24 such faces gain, and at quality 10 all, even those
that were sharp."""

NOT_SHARP, BETWEEN_BLOCKS = 0.7, 0.4
"""Fractions of its size: the detail below which a face between blocks is not sharp, and what is its own."""

NOISY = 8.0
"""Noise, 8-bit levels, above which a face without much detail is redrawn: at 10 levels 22 of 24 faces of 128
pixels gain, at 6 levels 6. Pores and grain are read as up to 4."""

VISIBLY_DARK = 0.9
"""`exposure_weight` from which the light that a face would still get cannot be seen."""

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
    dark = exposure_weight(face.light, face.highlights) < VISIBLY_DARK
    # What both networks restore. Larger faces get the joint network alone: its result is sharper than the
    # blind one's, and as near to the person.
    both = blind is not None and face.side <= REDRAWN_UP_TO * blind.trusted
    coarse = is_blurred(face) and own_detail(face) <= joint.largest
    if dark and coarse:
        return TaskChoice("joint", "dark and blurred", both)
    if dark:
        return TaskChoice("joint", "dark, small" if face.side <= joint.trusted else "dark, enough detail")
    damage = None if blind is None else _damage(face, blind)
    if damage is not None:
        return TaskChoice("joint" if coarse else "blind", f"enough light, {damage}", coarse and both)
    if face.side <= joint.trusted:
        return TaskChoice("joint", "enough light, small")
    return TaskChoice(None, "enough light and detail: nothing to do")


def _damage(face: FaceMeasures, blind: WorkingSizes) -> str | None:
    """What is wrong with a well-lit face, in a word; None: nothing that redrawing would mend."""
    if is_blocky(face) and own_detail(face) <= blind.trusted:
        return "blocks"
    if is_blurred(face) and face.detail <= REDRAWN * blind.trusted:
        return "blurred"
    return "noisy" if face.noise >= NOISY and face.detail <= blind.trusted else None


def is_blocky(face: FaceMeasures) -> bool:
    """Whether compression has damaged a face; in large ones, reduced for the network, it hardly shows."""
    some, strong = BLOCKY
    soft = face.detail < NOT_SHARP * min(face.side, CROP_SIZE)
    return face.side < 1.5 * CROP_SIZE and (face.blocks >= strong or (face.blocks >= some and soft))


def own_detail(face: FaceMeasures) -> float:
    """The detail of a face, without what is only ringing between JPEG's blocks."""
    return min(face.detail, BETWEEN_BLOCKS * min(face.side, CROP_SIZE)) if is_blocky(face) else face.detail


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
    if (foreign := foreign_config(find_weights(model))) is not None:
        return (foreign_task(foreign),)
    try:
        name: str = read_metadata(model)["method"] if find_weights(model).is_file() else model
        return find_capabilities(name).tasks
    except SettingError:
        return None

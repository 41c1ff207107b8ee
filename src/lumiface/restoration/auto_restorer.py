"""`task="auto"`: every face gets what it lacks, by the network for that."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from lumiface.faces.face import Face
from lumiface.faces.measure import FaceMeasures, is_readable
from lumiface.registry import default_model
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.damaged_restorer import DamagedRestorer
from lumiface.restoration.face_restorer import FaceRestorer, Log, unchanged_face
from lumiface.restoration.restored import RestoredFace
from lumiface.restoration.tasks import (
    FACE_TASKS,
    FaceTaskName,
    TaskChoice,
    available_tasks,
    select_task,
)


class AutoRestorer:
    """Chooses a task for each face; a network is loaded when it is first needed.

    Args:
        config: options of the restoration.
        device: where the networks run.
    """

    def __init__(self, config: RestoreConfig, device: torch.device) -> None:
        self.config, self.device = config, device
        self.available = available_tasks()
        self._loaded: dict[FaceTaskName, FaceRestorer] = {}

    def choose(self, measures: list[FaceMeasures]) -> list[TaskChoice]:
        """The task of each face."""
        return [select_task(face, self.available) for face in measures]

    def main_task(self, measures: list[FaceMeasures]) -> FaceTaskName | None:
        """The task of the largest face; None if it lacks nothing, or if there is no face."""
        main = max(measures, key=lambda face: face.side, default=None)
        return None if main is None else select_task(main, self.available).task

    def scale(self, measures: list[FaceMeasures]) -> int:
        """How many times larger the photograph becomes unless another scale is requested."""
        if self.main_task(measures) != "joint":
            return 1
        largest = max(face.side for face in measures)
        return FACE_TASKS["joint"].scale if largest <= self.available["joint"].trusted else 1

    def models(self, measures: list[FaceMeasures]) -> list[str]:
        """The networks that these faces go through."""
        choices = self.choose([face for face in measures if is_readable(face)])
        tasks = {choice.task for choice in choices} | {"blind" for choice in choices if choice.both}
        return [default_model(task.training_task) for name, task in FACE_TASKS.items() if name in tasks]

    def possible_models(self) -> list[str]:
        """The networks that faces can go through: those of joint and of blind."""
        return [
            default_model(FACE_TASKS[name].training_task)
            for name in ("joint", "blind")
            if name in self.available
        ]

    def notes(self, measures: list[FaceMeasures]) -> list[str]:
        """Remarks for the user: the choices."""
        return [summarize(self.choose(measures))] if measures else []

    def __call__(
        self,
        rgb: Tensor,
        denoised: Callable[[], Tensor],
        faces: list[Face],
        measures: list[FaceMeasures],
        log: Log | None = None,
    ) -> list[RestoredFace]:
        """Every face restored, relit or unchanged; arguments as of `FaceRestorer`."""
        choices, restored = self.choose(measures), dict[int, RestoredFace]()
        for task, both in itertools.product(FACE_TASKS, (False, True)):
            members = [i for i, choice in enumerate(choices) if (choice.task, choice.both) == (task, both)]
            if not members:
                continue
            restorer = self._restorer(task)
            if both:
                restorer = DamagedRestorer(self._restorer("joint"), self._restorer("blind"))
            results = restorer(
                rgb, denoised, [faces[i] for i in members], [measures[i] for i in members], log
            )
            for i, result in zip(members, results, strict=True):
                restored[i] = replace(result, report=replace(result.report, why=choices[i].why))
        for i, choice in enumerate(choices):
            if choice.task is None:
                restored[i] = RestoredFace(*unchanged_face(rgb, faces[i], measures[i], choice.why), None)
        return [restored[i] for i in range(len(faces))]

    def _restorer(self, task: FaceTaskName) -> FaceRestorer:
        if task not in self._loaded:
            chosen = FACE_TASKS[task]
            model = default_model(chosen.training_task)
            self._loaded[task] = FaceRestorer(chosen, model, self.config, self.device, by_detail=True)
        return self._loaded[task]


def summarize(choices: list[TaskChoice]) -> str:
    """One line: "auto: 2 faces joint (dark, small); 1 face unchanged (enough light and detail: ...)"."""
    counts = Counter((choice.task or "unchanged", choice.why) for choice in choices)
    parts = [
        f"{count} face{'s' if count > 1 else ''} {task} ({why})"
        for (task, why), count in counts.most_common()
    ]
    return f"auto: {'; '.join(parts)}"

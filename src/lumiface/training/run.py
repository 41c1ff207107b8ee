"""One training run, from a checked configuration to weights."""

from __future__ import annotations

from pathlib import Path

from lightning.fabric import Fabric

from lumiface.data.training.face_set import FaceSet
from lumiface.training.config import RunConfig
from lumiface.training.context import TaskContext
from lumiface.training.logger import RunLogger
from lumiface.training.loop import training_loop
from lumiface.training.task import NO_LIMITS, Limits, TrainResult
from lumiface.training.tasks.table import entry_of


def train(
    config: RunConfig,
    folder: Path,
    fabric: Fabric,
    *,
    data_root: str = ".",
    limits: Limits = NO_LIMITS,
    faces: FaceSet | None = None,
    skip_bad: bool | None = None,
) -> TrainResult:
    """Train, or resume, one run of any kind; see `loop.training_loop` for what its folder holds.

    Args:
        config: of a method on pairs, or of a component.
        folder: of the run.
        fabric: the devices.
        data_root: replaces `{data}` in the paths of the configuration.
        limits: where to stop early, and which weights to start from.
        faces: training faces for a run on pairs, where a caller of many runs has loaded them already.
        skip_bad: leave out pictures that cannot be used, with a line of the log for each; see `Faults`.

    Raises:
        LumifaceError: data or a trained component cannot be read, the loss stays infinite or NaN, or the
            folder holds a run of another network.
        TypeError: no task has this class of configuration.
    """
    logger = RunLogger(folder, config, enabled=fabric.is_global_zero)
    context = TaskContext(fabric, data_root, limits.init_from, logger.log, faces, skip_bad)
    task = entry_of(config).task(config, context)
    return training_loop(task, config, folder, fabric, logger, limits)

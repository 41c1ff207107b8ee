"""Which kind of run a configuration is of: the one place that knows them all."""

from __future__ import annotations

from pathlib import Path

from lightning.fabric import Fabric

from lumiface.training.config import RunConfig, TrainConfig
from lumiface.training.context import TaskContext
from lumiface.training.logger import RunLogger
from lumiface.training.loop import run
from lumiface.training.part_config import (
    AutoencoderRun,
    BlindRestorerRun,
    DiffusionPriorRun,
    EnhancerRun,
    LifterRun,
    StyleGAN2Run,
)
from lumiface.training.task import NO_LIMITS, Limits, TrainingTask, TrainResult
from lumiface.training.tasks.autoencoder import AutoencoderTask
from lumiface.training.tasks.blind_restorer import BlindRestorerTask
from lumiface.training.tasks.diffusion_prior import DiffusionPriorTask
from lumiface.training.tasks.enhancer import EnhancerTask
from lumiface.training.tasks.lifter import LifterTask
from lumiface.training.tasks.paired import train
from lumiface.training.tasks.stylegan2 import StyleGAN2Task


def start(
    config: RunConfig, folder: Path, fabric: Fabric, *, data_root: str = ".", limits: Limits = NO_LIMITS
) -> TrainResult:
    """Train, or go on with, whatever `config` is of; see `lumiface.training.loop.run`.

    Raises:
        TypeError: there is no such kind of run.
        LumifaceError: see there; or faces, their points, or a trained part cannot be read.
    """
    if isinstance(config, TrainConfig):
        return train(config, folder, fabric, data_root=data_root, limits=limits)
    observer = RunLogger(folder, config, enabled=fabric.is_global_zero)
    lesson = _open(config, TaskContext(fabric, data_root, limits.init_from, observer.tell))
    return run(lesson, config, folder, fabric, observer, limits)


def _open(config: RunConfig, place: TaskContext) -> TrainingTask:
    match config:
        case LifterRun():
            return LifterTask(config, place)
        case DiffusionPriorRun():
            return DiffusionPriorTask(config, place)
        case EnhancerRun():
            return EnhancerTask(config, place)
        case AutoencoderRun():
            return AutoencoderTask(config, place)
        case StyleGAN2Run():
            return StyleGAN2Task(config, place)
        case BlindRestorerRun():
            return BlindRestorerTask(config, place)
        case _:
            raise TypeError(f"no run is of the kind {type(config).__name__}")

"""Which kind of run a configuration is of: the one place that knows them all."""

from __future__ import annotations

from pathlib import Path

from lightning.fabric import Fabric

from lumiface.training.config import RunConfig, TrainConfig
from lumiface.training.context import Place
from lumiface.training.logger import Observer
from lumiface.training.loop import run
from lumiface.training.part_config import (
    AutoencoderRun,
    EnhancerRun,
    GeneratorRun,
    LifterRun,
    PriorRun,
    RestorerRun,
)
from lumiface.training.task import NO_LIMITS, Lesson, Limits, Outcome
from lumiface.training.tasks.autoencoder import AutoencoderLesson
from lumiface.training.tasks.blind_restorer import RestorerLesson
from lumiface.training.tasks.diffusion_prior import PriorLesson
from lumiface.training.tasks.enhancer import EnhancerLesson
from lumiface.training.tasks.lifter import LifterLesson
from lumiface.training.tasks.paired import train
from lumiface.training.tasks.stylegan2 import GeneratorLesson


def start(
    config: RunConfig, folder: Path, fabric: Fabric, *, data_root: str = ".", limits: Limits = NO_LIMITS
) -> Outcome:
    """Train, or go on with, whatever `config` is of; see `lumiface.training.loop.run`.

    Raises:
        TypeError: there is no such kind of run.
        LumifaceError: see there; or faces, their points, or a trained part cannot be read.
    """
    if isinstance(config, TrainConfig):
        return train(config, folder, fabric, data_root=data_root, limits=limits)
    observer = Observer(folder, config, enabled=fabric.is_global_zero)
    lesson = _open(config, Place(fabric, data_root, limits.start_from, observer.tell))
    return run(lesson, config, folder, fabric, observer, limits)


def _open(config: RunConfig, place: Place) -> Lesson:
    match config:
        case LifterRun():
            return LifterLesson(config, place)
        case PriorRun():
            return PriorLesson(config, place)
        case EnhancerRun():
            return EnhancerLesson(config, place)
        case AutoencoderRun():
            return AutoencoderLesson(config, place)
        case GeneratorRun():
            return GeneratorLesson(config, place)
        case RestorerRun():
            return RestorerLesson(config, place)
        case _:
            raise TypeError(f"no run is of the kind {type(config).__name__}")

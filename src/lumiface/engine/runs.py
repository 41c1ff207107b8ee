"""Which kind of run a configuration is of: the one place that knows them all."""

from __future__ import annotations

from pathlib import Path

from lightning.fabric import Fabric

from lumiface.engine.config import RunConfig, TrainConfig
from lumiface.engine.contract import NO_LIMITS, Lesson, Limits, Outcome
from lumiface.engine.decode import AutoencoderLesson
from lumiface.engine.enhance import EnhancerLesson
from lumiface.engine.generate import GeneratorLesson
from lumiface.engine.lesson import Place
from lumiface.engine.lift import LifterLesson
from lumiface.engine.loop import run
from lumiface.engine.observe import Observer
from lumiface.engine.part_config import (
    AutoencoderRun,
    EnhancerRun,
    GeneratorRun,
    LifterRun,
    PriorRun,
    RestorerRun,
)
from lumiface.engine.prior import PriorLesson
from lumiface.engine.restorer import RestorerLesson
from lumiface.engine.train import train


def start(
    config: RunConfig, folder: Path, fabric: Fabric, *, data_root: str = ".", limits: Limits = NO_LIMITS
) -> Outcome:
    """Train, or go on with, whatever `config` is of; see `lumiface.engine.loop.run`.

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

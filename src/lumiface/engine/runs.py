"""Which kind of run a configuration is of: the one place that knows them all."""

from __future__ import annotations

from pathlib import Path

from lightning.fabric import Fabric

from lumiface.engine.config import EnhancerRun, GeneratorRun, LifterRun, PriorRun, RunConfig, TrainConfig
from lumiface.engine.enhance import train_enhancer
from lumiface.engine.generate import train_generator
from lumiface.engine.lift import train_lifter
from lumiface.engine.loop import NO_LIMITS, Limits, Outcome
from lumiface.engine.prior import train_prior
from lumiface.engine.train import train


def start(
    config: RunConfig, folder: Path, fabric: Fabric, *, data_root: str = ".", limits: Limits = NO_LIMITS
) -> Outcome:
    """Train, or go on with, whatever `config` is of; see `lumiface.engine.loop.run`.

    Raises:
        TypeError: there is no such kind of run.
        LumifaceError: see there.
    """
    match config:
        case TrainConfig():
            return train(config, folder, fabric, data_root=data_root, limits=limits)
        case LifterRun():
            return train_lifter(config, folder, fabric, data_root=data_root, limits=limits)
        case PriorRun():
            return train_prior(config, folder, fabric, data_root=data_root, limits=limits)
        case EnhancerRun():
            return train_enhancer(config, folder, fabric, data_root=data_root, limits=limits)
        case GeneratorRun():
            return train_generator(config, folder, fabric, data_root=data_root, limits=limits)
        case _:
            raise TypeError(f"no run is of the kind {type(config).__name__}")

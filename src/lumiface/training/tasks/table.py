"""The table of training tasks: which configuration starts which task, and an example input of its network.

A new kind of training is one file beside this one, with its configuration and its task, and one line here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lumiface.core.errors import SettingError
from lumiface.registry import COMPONENTS, find_spec
from lumiface.training.config import RunConfig, TrainConfig
from lumiface.training.context import TaskContext
from lumiface.training.task import TrainingTask
from lumiface.training.tasks import (
    autoencoder,
    blind_restorer,
    diffusion_prior,
    enhancer,
    face_embedder,
    lifter,
    paired,
    stylegan2,
)
from lumiface.training.tasks.example import Example


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """One kind of run.

    Attributes:
        config: class of its configuration.
        task: makes the task from a configuration and a context.
        example: (configuration, the network's configuration) -> an input of the network, and what it is.
    """

    config: type[RunConfig]
    task: Callable[[Any, TaskContext], TrainingTask]
    example: Callable[[Any, Any], Example]


PAIRED = TaskEntry(TrainConfig, paired.PairedTask, paired.example)

BY_COMPONENT: dict[str, TaskEntry] = {
    "prior3d-lifter": TaskEntry(lifter.LifterRun, lifter.LifterTask, lifter.example),
    "prior3d-prior": TaskEntry(
        diffusion_prior.DiffusionPriorRun, diffusion_prior.DiffusionPriorTask, diffusion_prior.example
    ),
    "prior3d-enhancer": TaskEntry(enhancer.EnhancerRun, enhancer.EnhancerTask, enhancer.example),
    "stylegan2": TaskEntry(stylegan2.StyleGAN2Run, stylegan2.StyleGAN2Task, stylegan2.example),
    "stylegan2-autoencoder": TaskEntry(
        autoencoder.AutoencoderRun, autoencoder.AutoencoderTask, stylegan2.example
    ),
    "fusion-bfr-restorer": TaskEntry(
        blind_restorer.BlindRestorerRun, blind_restorer.BlindRestorerTask, blind_restorer.example
    ),
    "face-embedder": TaskEntry(
        face_embedder.FaceEmbedderRun, face_embedder.FaceEmbedderTask, face_embedder.example
    ),
}


def entry_of(config: RunConfig) -> TaskEntry:
    """The entry of a configuration.

    Raises:
        TypeError: no task has this class of configuration.
    """
    for entry in (PAIRED, *BY_COMPONENT.values()):
        if type(config) is entry.config:
            return entry
    raise TypeError(f"no training task has a configuration of the class {type(config).__name__}")


def config_class(settings: dict[str, Any], *, default: bool = False) -> type[RunConfig]:
    """The class that checks these settings: that of the component they name, or of a method on pairs.

    Args:
        default: unknown components use `RunConfig` instead of raising an error.

    Raises:
        SettingError: there is no such component, it has no training task, or it is named as a method.
    """
    name = settings.get("component", settings.get("part"))
    if name is None:
        method = settings.get("method")
        if not default and any(method in (spec.name, *spec.presets) for spec in COMPONENTS.values()):
            raise SettingError(f"{method!r} is a component; name it under component, not under method")
        return TrainConfig
    try:
        return BY_COMPONENT[find_spec(str(name))[0].name].config
    except (KeyError, SettingError) as error:
        if default:
            return RunConfig
        if isinstance(error, KeyError):
            raise SettingError(f"no training task trains {name!r}") from error
        raise

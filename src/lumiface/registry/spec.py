"""What the table says of a method: typed facts beside the classes, so that no caller must know a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from lumiface.degradations.camera_pipeline import CameraConfig
from lumiface.degradations.tasks import PairTask, Task

FLOATS = (torch.float32, torch.bfloat16)
"""What most networks compute soundly in."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a caller must know before pictures go in.

    Attributes:
        tasks: what the method may be trained for; "joint" brightens and enlarges.
        min_size: least side of the input, pixels.
        dtypes: floating types in which inference is sound.
        tiling: whether a picture may be cut in tiles (never where light is judged from the whole).
        aligned_face: whether the network wants an upright, aligned face.
        onnx: whether it exports to ONNX, at a size fixed when it is exported.
    """

    tasks: tuple[Task, ...]
    min_size: int
    dtypes: tuple[torch.dtype, ...]
    tiling: bool
    aligned_face: bool
    onnx: bool = True


class Recipe(Protocol):
    """How a method is trained: what is done to a bright picture, and what is minimised."""

    @property
    def camera(self) -> CameraConfig | None:
        """With which pairs are made as a camera makes them."""
        ...

    def degrade(
        self, high: Tensor, task: PairTask, scale: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]: ...

    def __call__(self, output: Tensor, low: Tensor, target: Tensor, boxes: Tensor) -> dict[str, Tensor]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...


@dataclass(frozen=True, slots=True)
class Method:
    """One line of the table. `network` and `recipe` take their configuration (and the recipe a seed).

    Attributes:
        name: its key in the table.
        title: what it is, in a line.
        source: the paper.
        network, config: the class and its configuration.
        recipe, recipe_config: how it is trained; None where there is nothing to learn.
        capabilities: what a caller must know.
        presets: name -> settings of the network.
        widen: gives a network of it the weights of a narrower one.
        in_components: it is trained part by part (`COMPONENTS`), and has no recipe of its own.
        published: name -> the asset with the authors' own weights, and the function that loads it.
    """

    name: str
    title: str
    source: str
    network: Callable[[Any], nn.Module]
    config: type[BaseModel]
    recipe: Callable[[Any, int], Recipe] | None
    recipe_config: type[BaseModel] | None
    capabilities: Capabilities
    presets: dict[str, dict[str, Any]]
    widen: Callable[[Any, Any], None] | None = None
    in_components: bool = False
    published: dict[str, tuple[str, Callable[[Path], nn.Module]]] = field(default_factory=dict)

"""Entries of the registry: typed facts beside the classes, so that no caller must know a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from lumiface.core.draws import RandomSource
from lumiface.degradations.camera_pipeline import CameraConfig
from lumiface.degradations.tasks import PairTask, Task

FLOATS = (torch.float32, torch.bfloat16)
"""Floating types that most networks support in inference."""


@dataclass(frozen=True, slots=True)
class WorkingSizes:
    """Sizes at which a network was trained and may be trusted: sides of its input, an aligned face, pixels.

    Attributes:
        smallest: smaller faces are enlarged to it.
        largest: larger faces that are not restored, only relit, are reduced to it.
        trusted: up to this a face is restored; above, it has more detail of its own than the network gives.
    """

    smallest: int
    largest: int
    trusted: int

    def input_side(self, native: float) -> int:
        """The input size for a face of `native` pixels: its own, within the limits."""
        if native > self.trusted:
            return self.largest
        return min(max(8 * round(native / 8), self.smallest), max(self.largest, self.trusted))


SMALL_FACES = WorkingSizes(smallest=32, largest=64, trusted=96)
"""Default sizes of networks that brighten and enlarge four times."""

FACES_OF_256 = WorkingSizes(smallest=256, largest=256, trusted=256)
"""Default sizes of networks that keep the size."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a caller must know before pictures go in.

    Attributes:
        tasks: what the method may be trained for; "joint" brightens and enlarges.
        min_size: smallest side of the input, pixels.
        dtypes: floating types supported in inference.
        tiling: whether a picture may be cut into tiles (never if the network uses global statistics).
        aligned_face: whether the network needs an upright, aligned face.
        torch_only: why torch alone runs it and it is not exported, in a few words; empty: it is.
        sizes: working sizes of a network with a given configuration, where its checkpoint says none.
    """

    tasks: tuple[Task, ...]
    min_size: int
    dtypes: tuple[torch.dtype, ...]
    tiling: bool
    aligned_face: bool
    torch_only: str = ""
    sizes: Callable[[Any], WorkingSizes] | None = None

    def sizes_of(self, config: Any) -> WorkingSizes:
        """Working sizes of a network with this configuration."""
        if self.sizes is not None:
            return self.sizes(config)
        return SMALL_FACES if "joint" in self.tasks else FACES_OF_256


class Recipe(Protocol):
    """How a method is trained on pairs: how a bright picture is degraded, and which loss is minimised."""

    betas: tuple[float, float]

    def build_discriminator(self) -> nn.Module | None: ...

    @property
    def camera(self) -> CameraConfig | None:
        """Set where pairs are made by a simulated camera instead of the benchmark's darkening."""
        ...

    def degrade(
        self, high: Tensor, task: PairTask, scale: int, generator: RandomSource
    ) -> tuple[Tensor, Tensor]: ...

    def __call__(self, output: Tensor, low: Tensor, target: Tensor, boxes: Tensor) -> dict[str, Tensor]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...


@runtime_checkable
class Refinable(Protocol):
    """A network with a fidelity, whose latent codes can be optimised for one face."""

    fidelity: float

    def refine(
        self,
        picture: Tensor,
        steps: int,
        *,
        effective_resolution: int,
        progress: Callable[[int, int, float], None] | None = None,
    ) -> Tensor: ...


@runtime_checkable
class HasPrior(Protocol):
    """A network guided by a 3D prior, which can be sampled and rendered from any camera.

    `predict_prior` and `render_prior` return maps with `rendering` (B, 3, h, h), `depth` (B, 1, h, h), and
    `triplane`: the tri-plane with its `camera` (B, 25), or None where `prior` is None.
    """

    prior: nn.Module | None

    def predict_prior(self, picture: Tensor) -> Any: ...

    def render_prior(self, triplane: Any, camera: Tensor, size: int | None = None) -> Any: ...

    def enhance_frame(self, image: Tensor, before: Any, carried: float) -> tuple[Tensor, Any]: ...


@dataclass(frozen=True, slots=True)
class Spec:
    """One entry of the registry. `network` and `recipe` take their configuration (and the recipe a seed).

    Attributes:
        name: its key in the registry.
        kind: "method" of ours, "baseline" to compare with, or "component" of a method, trained on its own.
        title: what it is, in one line.
        source: the paper.
        network, config: the class and its configuration.
        recipe, recipe_config: how it is trained; None where nothing is trained, or by components.
        capabilities: what a caller must know; None for components, which are not called on images directly.
        presets: name -> settings of the network.
        widen: initialises a network from the weights of a narrower one.
        components: names of the components by which it is trained, where it has no recipe of its own.
        official_weights: name -> the asset with the authors' own weights, and the function that loads it.
        read_foreign: reads a network of this kind from a file that another program wrote; None: none is read.
    """

    name: str
    kind: Literal["method", "baseline", "component"]
    title: str
    network: Callable[[Any], nn.Module]
    config: type[BaseModel]
    recipe: Callable[[Any, int], Any] | None
    recipe_config: type[BaseModel] | None
    presets: dict[str, dict[str, Any]]
    capabilities: Capabilities | None = None
    source: str = ""
    widen: Callable[[Any, Any], None] | None = None
    components: tuple[str, ...] = ()
    official_weights: dict[str, tuple[str, Callable[[Path], nn.Module]]] = field(default_factory=dict)
    read_foreign: Callable[[Path], nn.Module] | None = None

"""What lessons share: where they run and where their data lie, and that most of them remember nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from lumiface.core.errors import InputError
from lumiface.data.training.face_tensor import load_face_tensor, resize_faces
from lumiface.registry import load_component


@dataclass(frozen=True, slots=True)
class TaskContext:
    """Where a lesson is held.

    Attributes:
        fabric: the devices.
        data_root: what `{data}` stands for in a configuration's paths.
        init_from: weights to start from instead of random ones.
        tell: hears what a person should know.
    """

    fabric: Fabric
    data_root: str = "."
    init_from: str | None = None
    tell: Callable[[str], None] = print

    @property
    def device(self) -> torch.device:
        return self.fabric.device

    @property
    def rank(self) -> int:
        """Which of the processes this is."""
        return self.fabric.global_rank

    def share(self, batch: int) -> int:
        """How many of a batch's pictures are this process's."""
        return max(1, batch // self.fabric.world_size)

    def path(self, source: str) -> str:
        """A path as a configuration has it, with the folder of the data filled in."""
        return source.format(data=self.data_root)

    def faces(self, sources: Sequence[str], *, limit: int | None = None, side: int | None = None) -> Tensor:
        """Square faces of folders and tars, (N, 3, H, H) uint8, on the CPU; see `load_face_tensor`.

        Args:
            sources: of one size, unless a side is named; they are decoded one after the other then.
            limit: so many at most.
            side: what they are reduced to.

        Raises:
            InputError: a source cannot be used, or its faces are smaller than `side`.
        """
        paths = [self.path(source) for source in sources]
        if side is None:
            return load_face_tensor(paths, limit)
        reduced: list[Tensor] = []
        for path in paths:
            faces = load_face_tensor([path], limit)
            if faces.shape[-1] < side:
                raise InputError(f"{path}: its faces have {faces.shape[-1]} pixels; the run needs {side}")
            reduced.append(resize_faces(faces, side))
        return torch.cat(reduced)[:limit]

    def part(self, name: str, kind: str) -> Any:
        """A trained part of a kind, by the name of one that ships or by its file, on the device."""
        return load_component(self.path(name), kind, self.device)

    def start(self, network: nn.Module, kind: str) -> bool:
        """Fill a part of a kind with the weights to start from; whether there are any."""
        if self.init_from is None:
            return False
        network.load_state_dict(load_component(self.init_from, kind).state_dict())
        return True


class StatelessTask:
    """A lesson whose steps hang on nothing but the networks and the step's number."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        pass

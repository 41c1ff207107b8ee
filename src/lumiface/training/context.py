"""The context of a training task: devices, data folder, initial weights; and a base for stateless tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn

from lumiface.core.errors import InputError, SettingError
from lumiface.data.faults import Faults
from lumiface.data.training.face_tensor import load_face_tensor, resize_faces
from lumiface.registry import load_model
from lumiface.training.discriminator_weights import load_discriminator

if TYPE_CHECKING:  # `lumiface train --dry-run` needs no lightning
    from lightning.fabric import Fabric

    from lumiface.data.training.face_set import FaceSet

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class TaskContext:
    """Where a task runs.

    Attributes:
        fabric: the devices.
        data_root: replaces `{data}` in the paths of a configuration.
        init_from: weights to start from instead of random ones.
        log: takes one line of text for the user.
        preloaded: training faces that the caller has loaded already (comparisons of many runs).
        skip_bad: what is done with bad pictures; see `Faults`.
    """

    fabric: Fabric
    data_root: str = "."
    init_from: str | None = None
    log: Callable[[str], None] = print
    preloaded: FaceSet | None = None
    skip_bad: bool | None = None

    @property
    def device(self) -> torch.device:
        return self.fabric.device

    @property
    def rank(self) -> int:
        """This process's number."""
        return self.fabric.global_rank

    @property
    def world_size(self) -> int:
        """The number of processes."""
        return self.fabric.world_size

    def per_rank_batch(self, batch: int) -> int:
        """The images of a batch that this process takes."""
        return max(1, batch // self.fabric.world_size)

    def autocast_on_gpu(self) -> AbstractContextManager[Any]:
        """The run's arithmetic for frozen networks in losses; on the CPU they stay in float32."""
        return nullcontext() if self.device.type == "cpu" else self.fabric.autocast()

    def place(self, module: Module) -> Module:
        """Move the networks of a loss to the device, on a GPU with channels last, which suits bf16."""
        module = module.to(self.device)
        if self.device.type != "cpu":
            module.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        return module

    def path(self, source: str) -> str:
        """A path of the configuration with the data folder filled in."""
        return source.format(data=self.data_root)

    def face_tensor(
        self, sources: Sequence[str], *, limit: int | None = None, side: int | None = None
    ) -> Tensor:
        """Square faces of folders and tars, (N, 3, H, H) uint8, on the CPU; see `load_face_tensor`.

        Args:
            sources: of one size, unless `side` is given; then they are decoded one after the other.
            limit: the most faces that are read.
            side: the size that all are reduced to, pixels.

        Raises:
            InputError: a source cannot be used, or its faces are smaller than `side`.
        """
        paths, faults = [self.path(source) for source in sources], Faults(self.skip_bad, self.log)
        if side is None:
            loaded = load_face_tensor(paths, limit, faults)
            faults.settle()
            return loaded
        reduced: list[Tensor] = []
        for path in paths:
            faces = load_face_tensor([path], limit, faults)
            if faces.shape[-1] < side:
                raise InputError(f"{path}: its faces have {faces.shape[-1]} pixels; the run needs {side}")
            reduced.append(resize_faces(faces, side))
        faults.settle()
        return torch.cat(reduced)[:limit]

    def load_component(self, name: str, kind: str) -> Any:
        """A trained component of a kind, by the name of one that ships or by its file, on the device."""
        return load_model(self.path(name), self.device, kind=kind)

    def init_component(self, network: nn.Module, kind: str) -> bool:
        """Load the initial weights into a component of a kind; returns whether there are any."""
        if self.init_from is None:
            return False
        load_initial(network, load_model(self.init_from, kind=kind), self.init_from)
        return True

    def init_discriminator(
        self, discriminator: nn.Module | None, source: str | None, recipe: nn.Module | None = None
    ) -> None:
        """Load a run's initial discriminator and, into its recipe, the state that belongs to it.

        Args:
            source: `discriminator_from` of the run; None: the discriminator stays untrained.
            recipe: its probability of augmentation and mean path length go on, if the file has them.

        Raises:
            SettingError: the run has no discriminator.
            InputError: the file does not fit.
        """
        if source is None:
            return
        if discriminator is None:
            raise SettingError(f"discriminator_from: {source}: the recipe has no adversarial loss")
        state = load_discriminator(discriminator, self.path(source))
        if recipe is not None and state.keys() == recipe.state_dict().keys():
            recipe.load_state_dict(state)


def load_initial(network: nn.Module, trained: nn.Module, name: str) -> None:
    """Load the weights of a trained network into one of the same layers.

    Args:
        name: of the trained one, for the message.

    Raises:
        SettingError: their layers differ.
    """
    sizes, found = (
        {key: value.shape for key, value in module.state_dict().items()} for module in (network, trained)
    )
    for key in (*sizes, *found):
        if sizes.get(key) != found.get(key):
            raise SettingError(
                f"--init-from {name}: built with other settings than the run, so that {key} differs; name "
                "other weights, or set `network` as theirs"
            )
    network.load_state_dict(trained.state_dict())


class StatelessTask:
    """A task whose steps depend on nothing but the networks and the step's number."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        pass

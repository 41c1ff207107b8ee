"""State dicts written before submodules, parameters or buffers were renamed.

A module lists its renamed children in the class attribute `old_child_names`, old name -> new name.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


def current_keys(network: nn.Module, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors in the same order under the network's current keys.

    Every module on the path of a key may have renamed its child; the network itself is not changed.

    Args:
        network: the module that the state dict belongs to.
        state_dict: its keys may be old, current or unknown; the latter two pass unchanged.

    Raises:
        ValueError: an old and a current key denote the same tensor.
    """
    current: dict[str, Tensor] = {}
    for key, value in state_dict.items():
        name = _current_key(network, key)
        if name in current:
            raise ValueError(f"the state dict has {name} twice, once under an old name")
        current[name] = value
    return current


def _current_key(network: nn.Module, key: str) -> str:
    module: nn.Module | None = network
    path: list[str] = []
    for name in key.split("."):
        renamed: Mapping[str, str] = getattr(type(module), "old_child_names", {})
        path.append(renamed.get(name, name))
        module = None if module is None else dict(module.named_children()).get(path[-1])
    return ".".join(path)

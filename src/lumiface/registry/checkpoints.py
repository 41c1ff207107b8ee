"""Trained networks by name or file.

A checkpoint is one safetensors file whose metadata name the method and hold its configuration, so that
`load_model(path)` needs nothing else.
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from lumiface.core.assets import find_asset
from lumiface.core.errors import InputError, SettingError
from lumiface.degradations.tasks import Task
from lumiface.methods.chain import Chain
from lumiface.registry.build import build, find_method, needs_training
from lumiface.registry.table import METHODS

CHAIN = " + "
"""Between the names of a chain's stages."""


def shipped_weights() -> dict[str, Path]:
    """Name -> file of the trained weights that come with the package."""
    folder = Path(str(resources.files("lumiface"))) / "weights"
    return {file.stem: file for file in sorted(folder.glob("*.safetensors"))}


def shipped_components() -> dict[str, Path]:
    """Name -> file of the trained parts that come with the package."""
    folder = Path(str(resources.files("lumiface"))) / "weights" / "components"
    return {file.stem: file for file in sorted(folder.glob("*.safetensors"))}


def find_weights(name_or_path: str | Path) -> Path:
    """The file of a model or part that ships, by its name; any other name is a path, and need not exist."""
    return (shipped_weights() | shipped_components()).get(str(name_or_path), Path(name_or_path))


def list_models() -> list[str]:
    """The names that `load_model` knows without a path."""
    return list(shipped_weights())


def default_model(task: Task = "joint") -> str:
    """The shipped network that `restore` uses for a task when none is named.

    Those that have learnt from photographs come before those that know a benchmark alone; then the best in
    validation.

    Raises:
        InputError: no weights for it came with the package.
    """
    facts = {name: read_metadata(path) for name, path in shipped_weights().items()}
    shipped = {
        name: fact
        for name, fact in facts.items()
        if task in find_method(fact["method"])[0].capabilities.tasks
    }
    if not shipped:
        raise InputError(f"no weights for the task {task!r} came with this installation; name a file")
    return max(
        shipped, key=lambda name: (_learnt_from_camera(shipped[name]), _best(shipped[name]["provenance"]))
    )


def trained_on_camera(name_or_path: str | Path) -> bool:
    """Whether a model has learnt from pictures as cameras make them (`degradations.camera`).

    What has no file of its own (published weights, chains, methods that learn nothing) has not.
    """
    path = find_weights(name_or_path)
    return path.is_file() and _learnt_from_camera(read_metadata(path))


def _learnt_from_camera(facts: dict[str, Any]) -> bool:
    recipe = facts["provenance"].get("run", {}).get("recipe", {})
    return recipe.get("camera") is not None


def _best(provenance: dict[str, Any]) -> float:
    """The best score in validation, whatever it is called; higher is better."""
    return next(value for name, value in provenance.items() if name.startswith("best_"))


def load_model(name_or_path: str | Path, device: torch.device | str = "cpu") -> nn.Module:
    """A trained network, in evaluation mode, float32.

    Args:
        name_or_path: one of `list_models()`; a safetensors file that `lumiface train` wrote; a method that
            has nothing to learn ("clahe"), or one with its authors' own weights ("zero-dce-published"); or
            two of these with " + " between them, the first one's output being the second one's input.
        device: where it shall live.

    Raises:
        InputError: there is no such model or file, or the file is damaged or of another kind.
        AssetMissing: published weights are not on this machine.
    """
    name = str(name_or_path)
    if CHAIN in name and not Path(name).is_file():
        return Chain(*(load_model(stage, device) for stage in name.split(CHAIN))).eval()
    if (ready := _ready_made(name)) is not None:
        return ready.eval().to(device)
    path = find_weights(name_or_path)
    facts = read_metadata(path)
    network = build(facts["method"], facts["config"])
    fill(network, path)
    return network.eval().to(device)


def init_from_checkpoint(network: nn.Module, method: str, name_or_path: str | Path) -> None:
    """Give an untrained network of a method or preset a trained one's weights, or a narrower one's.

    Raises:
        InputError: there is no such model, or it is of another method.
        SettingError: it is not narrower, or differs in more than that.
    """
    given: Any = load_model(name_or_path)
    kind, widen = type(network), find_method(method)[0].widen
    if type(given) is not kind:
        raise InputError(f"{name_or_path}: a {type(given).__name__}; {method} starts from a {kind.__name__}")
    ours: Any = network.config
    if widen is not None and given.config != ours:
        widen(given, network)
    elif given.config == ours:
        network.load_state_dict(given.state_dict())
    else:
        raise SettingError(f"{name_or_path} was built with other settings than {method}; name other weights")


def fill(network: nn.Module, path: Path) -> None:
    """Give a network the weights of a file of ours.

    Raises:
        InputError: they do not fit.
    """
    with safe_open(path, framework="pt") as file:
        weights = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118 (not a dict)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(
            f"{path}: its weights do not fit its own configuration; get the file again"
        ) from error


def _ready_made(name: str) -> nn.Module | None:
    """A network that needs no weights of ours, if `name` is one's."""
    for method in METHODS.values():
        if name in method.published:
            asset, load = method.published[name]
            return load(find_asset(asset))
        if name in method.presets and not needs_training(name):
            return build(name)
    return None


def read_metadata(name_or_path: str | Path) -> dict[str, Any]:
    """What a checkpoint says of itself: method, config, provenance; by a shipped name or its file.

    Raises:
        InputError: there is no such file, it is damaged, or it was not written by this project.
    """
    path = find_weights(name_or_path)
    if not path.is_file():
        raise InputError(
            f"{path}: no such model; shipped are {', '.join(list_models()) or 'none'}, or give a file"
        )
    try:
        with safe_open(path, framework="pt") as file:
            facts = (file.metadata() or {}).get("lumiface")
    except SafetensorError as error:
        raise InputError(f"{path}: damaged or not a safetensors file ({error}); get it again") from error
    if facts is None:
        raise InputError(
            f"{path}: a safetensors file, but not written by lumiface: its configuration is missing"
        )
    return json.loads(facts)

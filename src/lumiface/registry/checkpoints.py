"""Trained networks by name or file.

A checkpoint is one safetensors file whose metadata name the method and hold its configuration, so that
`load_model(path)` needs nothing else.
"""

from __future__ import annotations

import math
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn

from lumiface.blocks.old_keys import current_keys
from lumiface.core.assets import find_asset
from lumiface.core.device import choose_device
from lumiface.core.errors import InputError, SettingError
from lumiface.degradations.tasks import Task
from lumiface.methods.chain import Chain
from lumiface.methods.foreign import ForeignConfig, load_foreign
from lumiface.registry.build import METHODS, build, configure, find_capabilities, find_spec, needs_training
from lumiface.registry.foreign import foreign_config, foreign_sizes, is_foreign
from lumiface.registry.metadata import read_metadata_file
from lumiface.registry.spec import SMALL_FACES, WorkingSizes

CHAIN = " + "
"""Separator of the names of a chain's stages."""


def shipped_weights() -> dict[str, Path]:
    """Name -> file of the trained methods that come with the package."""
    return _safetensors("weights")


def shipped_components() -> dict[str, Path]:
    """Name -> file of the trained components that come with the package."""
    return _safetensors("weights/components")


def find_weights(name_or_path: str | Path) -> Path:
    """The file of a network that ships, by its name; any other name is a path, and need not exist."""
    return (shipped_weights() | shipped_components()).get(str(name_or_path), Path(name_or_path))


def chain_stages(name_or_path: str | Path) -> list[str]:
    """The networks of a model, in their order: the stages of a chain ("a + b"), else the model itself."""
    name = str(name_or_path)
    return name.split(CHAIN) if CHAIN in name and not Path(name).is_file() else [name]


def foreign_stages(name_or_path: str | Path) -> list[ForeignConfig]:
    """What is known of those networks of a model whose weights are of another project.

    Raises:
        InputError, SettingError: as of `load_model`.
    """
    configs = [foreign_config(find_weights(stage)) for stage in chain_stages(name_or_path)]
    return [config for config in configs if config is not None]


def list_models() -> list[str]:
    """The names that `load_model` knows without a path."""
    return list(shipped_weights())


def default_model(task: Task = "joint") -> str:
    """The shipped network that `restore` uses for a task when none is named.

    Those trained on simulated camera images come before those trained on a benchmark's darkening; then those
    for larger faces; then the best in validation.

    Raises:
        InputError: no weights for it came with the package.
    """
    metadata = {name: read_metadata(path) for name, path in shipped_weights().items()}
    candidates = {
        name: facts for name, facts in metadata.items() if task in find_capabilities(facts["method"]).tasks
    }
    if not candidates:
        raise InputError(f"no weights for the task {task!r} came with this installation; name a file")

    def rank(name: str) -> tuple[bool, int, float]:
        facts = candidates[name]
        score = facts["score"]["value"] if facts["score"] else -math.inf
        return facts["trained_on"] == "camera", _sizes_of(facts).trusted, score

    return max(candidates, key=rank)


def trained_on_camera(name_or_path: str | Path) -> bool:
    """Whether a model was trained on simulated camera images, noise included (`camera_pipeline`).

    False for what has no file of its own (official weights, chains, methods without parameters), and for
    weights of another project.
    """
    path = find_weights(name_or_path)
    return path.is_file() and not is_foreign(path) and read_metadata(path)["trained_on"] == "camera"


def working_sizes(name_or_path: str | Path) -> WorkingSizes:
    """At which sizes of a face a model was trained and may be trusted: by its checkpoint, or its method.

    Raises:
        InputError: the file is damaged.
        SettingError: it is of another project, and spandrel is not installed.
    """
    name, path = str(name_or_path), find_weights(name_or_path)
    if (foreign := foreign_config(path)) is not None:
        return foreign_sizes(foreign)
    if path.is_file():
        return _sizes_of(read_metadata(path))
    try:
        return find_capabilities(name).sizes_of(configure(name))
    except SettingError:  # a chain
        return SMALL_FACES


def _sizes_of(facts: dict[str, Any]) -> WorkingSizes:
    """The working sizes by a checkpoint's metadata."""
    if facts.get("sizes"):
        return WorkingSizes(**facts["sizes"])
    config = configure(facts["method"], facts["config"])
    return find_capabilities(facts["method"]).sizes_of(config)


def load_model(
    name_or_path: str | Path, device: torch.device | str = "cpu", *, kind: str | None = None
) -> nn.Module:
    """A trained network, in evaluation mode, float32.

    Args:
        name_or_path: one of `list_models()`; a safetensors file that `lumiface train` wrote; weights of
            another project that spandrel knows (.pth, .safetensors); a method without parameters ("clahe"),
            or one with its authors' own weights ("zero-dce-published"); or two of these with " + " between
            them: the first one's output is the second one's input.
        device: where it is placed; "auto": on a GPU if there is one.
        kind: the method or component that the file must hold, by its name in the registry; None: any method.
            For kinds whose `read_foreign` is set ("stylegan2") also a file that another program wrote.

    Raises:
        InputError: there is no such model or file, or the file is damaged or of another kind.
        SettingError: no kind is given, and the file holds a component; there is no such device; or the
            weights are of another project, and spandrel is not installed or the network of no use here.
        AssetMissing: official weights are not on this machine.
    """
    name, device = str(name_or_path), choose_device(device)
    if len(stages := chain_stages(name)) > 1:
        return Chain(*(load_model(stage, device) for stage in stages)).eval()
    if (network := _without_checkpoint(name)) is not None:
        return network.eval().to(device)
    path = find_weights(name_or_path)
    if is_foreign(path) and (read := load_foreign if kind is None else find_spec(kind)[0].read_foreign):
        return read(path).eval().to(device)
    facts = read_metadata(path)
    if kind is None:
        find_capabilities(facts["method"])  # refuses components
    elif kind not in (facts["method"], find_spec(facts["method"])[0].name):
        raise InputError(f"{path} holds {facts['method']}, not {kind}; name the file of a {kind}")
    network = build(facts["method"], facts["config"])
    load_weights(network, path)
    return network.eval().to(device)


def init_from_checkpoint(network: nn.Module, name: str, name_or_path: str | Path) -> None:
    """Initialise a network of a method or preset from a trained one, or from a narrower one.

    Raises:
        InputError: there is no such model, or it is of another method.
        SettingError: it is not narrower, or differs in more than that.
    """
    trained: Any = load_model(name_or_path)
    expected, widen = type(network), find_spec(name)[0].widen
    if type(trained) is not expected:
        raise InputError(
            f"{name_or_path}: a {type(trained).__name__}; {name} starts from a {expected.__name__}"
        )
    config: Any = network.config
    if widen is not None and trained.config != config:
        widen(trained, network)
    elif trained.config == config:
        network.load_state_dict(trained.state_dict())
    else:
        raise SettingError(f"{name_or_path} was built with other settings than {name}; name other weights")


def load_weights(network: nn.Module, path: Path) -> None:
    """Load the weights of a checkpoint into its network.

    Raises:
        InputError: they do not fit.
    """
    with safe_open(path, framework="pt") as file:
        weights = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118 (not a dict)
    try:
        network.load_state_dict(current_keys(network, weights))
    except RuntimeError as error:
        raise InputError(
            f"{path}: its weights do not fit its own configuration; get the file again"
        ) from error


def read_metadata(name_or_path: str | Path) -> dict[str, Any]:
    """Metadata of a checkpoint, by a shipped name or its file.

    Returns:
        method: name in the registry. config: the network's configuration. score: {"name", "value"} of the
        best validation, higher is better, or None. trained_on: "camera" or "benchmark". sizes: `WorkingSizes`
        as a dict, or None. provenance: run, steps, data, machine, versions.

    Raises:
        InputError: there is no such file, it is damaged, or it was not written by this project.
    """
    path = find_weights(name_or_path)
    if path.is_dir():
        raise InputError(f"{path} is a folder; name the file of weights in it")
    if not path.is_file():
        raise InputError(
            f"{path}: no such model; shipped are {', '.join(list_models()) or 'none'}, or give a file"
        )
    if is_foreign(path):
        raise InputError(f"{path}: not written by lumiface; name weights that `lumiface train` wrote")
    return read_metadata_file(path)


def read_licence(weights: Path) -> str:
    """The line "Licence: ..." of a model's card, without the word; empty where there is no card.

    Args:
        weights: the model's file; the card is beside it.
    """
    card = weights.with_suffix(".md")
    lines = card.read_text(encoding="utf-8").splitlines() if card.is_file() else []
    for line in lines:
        word, colon, licence = line.strip(" -*").partition(":")
        if colon and word.strip("* ").lower() in ("licence", "license"):
            return licence.strip(" *")
    return "see its card" if lines else ""


def _safetensors(folder: str) -> dict[str, Path]:
    root = Path(str(resources.files("lumiface"))) / folder
    return {file.stem: file for file in sorted(root.glob("*.safetensors"))}


def _without_checkpoint(name: str) -> nn.Module | None:
    """A network that needs no checkpoint of ours, if `name` is one's."""
    for spec in METHODS.values():
        if name in spec.official_weights:
            asset, load = spec.official_weights[name]
            return load(find_asset(asset))
        if name in spec.presets and not needs_training(name):
            return build(name)
    return None

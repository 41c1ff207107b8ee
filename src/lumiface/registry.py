"""The one table of methods, and the only door to networks for everything outside `papers` and `peers`.

A method is a network class, its configuration, how it is trained, and what it can do. A checkpoint is one
safetensors file whose metadata name the method and hold its configuration, so that `load_model(path)` needs
nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

import torch
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from lumiface.errors import InputError, SettingError
from lumiface.papers.lfsrnet.model import LFSRNet, LFSRNetConfig
from lumiface.papers.lfsrnet.recipe import LFSRNetRecipe, LFSRNetRecipeConfig
from lumiface.papers.srcnn.model import SRCNN, SRCNNConfig
from lumiface.papers.srcnn.recipe import SRCNNRecipe, SRCNNRecipeConfig


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a caller must know before pictures go in.

    Attributes:
        task: "joint" brightens and enlarges; "enlarge" and "enhance" do one of the two.
        min_size: least side of the input, pixels.
        dtypes: floating types in which inference is sound.
        tiling: whether a picture may be cut in tiles (never where light is judged from the whole).
        aligned_face: whether the network wants an upright, aligned face.
    """

    task: str
    min_size: int
    dtypes: tuple[torch.dtype, ...]
    tiling: bool
    aligned_face: bool


class Recipe(Protocol):
    """How a method is trained: what is done to a bright picture, and what is minimised."""

    def degrade(self, high: Tensor, scale: int, generator: torch.Generator) -> Tensor: ...

    def __call__(self, output: Tensor, high: Tensor, boxes: Tensor) -> dict[str, Tensor]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...


@dataclass(frozen=True, slots=True)
class Method:
    """One line of the table. `network` and `recipe` take their configuration (and the recipe a seed)."""

    title: str
    source: str
    network: Callable[[Any], nn.Module]
    config: type[BaseModel]
    recipe: Callable[[Any, int], Recipe]
    recipe_config: type[BaseModel]
    capabilities: Capabilities
    presets: dict[str, dict[str, Any]]


FLOATS = (torch.float32, torch.bfloat16)

METHODS: dict[str, Method] = {
    "lfsrnet": Method(
        title="LFSRNet: joint low-light enhancement and face super-resolution",
        source="Cong, Zheng, Jia, CAAI Transactions on Intelligent Systems",
        network=LFSRNet,
        config=LFSRNetConfig,
        recipe=LFSRNetRecipe,
        recipe_config=LFSRNetRecipeConfig,
        capabilities=Capabilities("joint", 8, FLOATS, tiling=False, aligned_face=True),
        presets={
            "lfsrnet-paper": {"channels": 64},
            "lfsrnet-base": {"channels": 48, "upsampler": "resize"},
            "lfsrnet-lite": {"channels": 32, "upsampler": "resize"},
        },
    ),
    "srcnn": Method(
        title="SRCNN: the first CNN for super-resolution, the baseline",
        source="Dong, Loy, He, Tang: Image Super-Resolution Using Deep Convolutional Networks (TPAMI 2016)",
        network=SRCNN,
        config=SRCNNConfig,
        recipe=SRCNNRecipe,
        recipe_config=SRCNNRecipeConfig,
        capabilities=Capabilities("joint", 1, FLOATS, tiling=True, aligned_face=False),
        presets={
            "srcnn": {"variant": "9-5-5"},
            "srcnn-9-1-5": {"variant": "9-1-5"},
            "srcnn-3-1-5": {"variant": "3-1-5"},
        },
    ),
}


def find_method(name: str) -> tuple[Method, dict[str, Any]]:
    """A method's or a preset's name -> the method and the preset's settings (none for a method's name)."""
    if name in METHODS:
        return METHODS[name], {}
    for method in METHODS.values():
        if name in method.presets:
            return method, dict(method.presets[name])
    known = [preset for method in METHODS.values() for preset in method.presets]
    raise SettingError(f"no method is called {name!r}; there are {', '.join(sorted(known))}")


def build(name: str, settings: dict[str, Any] | None = None) -> nn.Module:
    """An untrained network by its method's or preset's name; `settings` overrule the preset's."""
    method, preset = find_method(name)
    return method.network(_checked(method.config, preset | (settings or {}), name))


def build_recipe(name: str, settings: dict[str, Any], seed: int) -> Recipe:
    """How a method or preset is trained; `settings` overrule the defaults of its losses."""
    method, _ = find_method(name)
    return method.recipe(_checked(method.recipe_config, settings, f"{name}: recipe"), seed)


def _checked(config: type[BaseModel], settings: dict[str, Any], name: str) -> BaseModel:
    try:
        return config(**settings)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise SettingError(f"{name}: setting {place}: {first['msg']}") from error


def shipped_weights() -> dict[str, Path]:
    """Name -> file of the trained weights that come with the package."""
    folder = Path(str(resources.files("lumiface"))) / "weights"
    return {file.stem: file for file in sorted(folder.glob("*.safetensors"))}


def list_models() -> list[str]:
    """The names that `load_model` knows without a path."""
    return list(shipped_weights())


def default_model() -> str:
    """The shipped network that `restore` uses when none is named: the best in validation.

    Raises:
        InputError: no weights came with the package.
    """
    shipped = {name: read_facts(path) for name, path in shipped_weights().items()}
    if not shipped:
        raise InputError("no weights came with this installation; install the wheel, or name a file")
    return max(shipped, key=lambda name: shipped[name]["provenance"]["best_psnr_y"])


def load_model(name_or_path: str | Path, device: torch.device | str = "cpu") -> nn.Module:
    """A trained network, in evaluation mode, float32.

    Args:
        name_or_path: one of `list_models()`, or a safetensors file that `lumiface train` wrote.
        device: where it shall live.

    Raises:
        InputError: there is no such model or file, or the file is damaged or of another kind.
    """
    path = shipped_weights().get(str(name_or_path), Path(name_or_path))
    facts = read_facts(path)
    network = build(facts["method"], facts["config"])
    with safe_open(path, framework="pt") as file:
        weights = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118 (not a dict)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(
            f"{path}: its weights do not fit its own configuration; get the file again"
        ) from error
    return network.eval().to(device)


def read_facts(path: Path) -> dict[str, Any]:
    """What a checkpoint says of itself: method, config, provenance.

    Raises:
        InputError: there is no such file, it is damaged, or it was not written by this project.
    """
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

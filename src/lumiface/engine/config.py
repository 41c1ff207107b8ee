"""What a training run is made of; the YAML files in `configs/` are exactly this."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lumiface.degradations.tasks import ENLARGING, SAME_SIZE, Task
from lumiface.errors import InputError, SettingError


class SizeShare(BaseModel):
    """One size of input that training draws, and how often."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    side: int = Field(ge=8, description="side of the small picture, pixels")
    share: float = Field(gt=0, description="relative frequency of batches of this size")


class RunConfig(BaseModel):
    """What all runs have. Paths may hold `{data}`, the folder that is named when the run is started."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="the run's name, and that of the weights it makes")
    train: list[str] = Field(description="folders or tars of square, aligned faces to learn from")
    validate_on: str = Field(description="folder or tar of faces on which the best checkpoint is chosen")
    batch: int = Field(default=8, ge=1, description="faces a step, over all devices")
    steps: int = Field(
        default=20_000, ge=1, description="length of the run; the schedule is laid out over it"
    )
    lr: float = Field(default=2e-4, gt=0, description="Adam's learning rate")
    warmup: int = Field(default=200, ge=0, description="steps over which the rate rises to `lr`")
    schedule: Literal["cosine", "milestones", "constant"] = Field(
        default="cosine",
        description="cosine: falls to 1 %% of lr; milestones: halved at 50, 75, 90 %% of the run; constant",
    )
    clip: float = Field(default=1.0, gt=0, description="the gradient's norm is cut at this")
    ema: float = Field(default=0.999, ge=0, lt=1, description="decay of the averaged weights, which ship")
    precision: Literal["32-true", "bf16-mixed"] = Field(default="32-true", description="arithmetic")
    seed: int = Field(
        default=0, ge=0, description="decides the order of the data, augmentation, darkening and masks"
    )

    validate_every: int = Field(default=500, ge=1, description="steps between validations")
    save_every: int = Field(
        default=250, ge=1, description="steps between states from which the run can resume"
    )

    @model_validator(mode="after")
    def _warmup_fits(self) -> Self:
        if self.warmup >= self.steps:
            raise ValueError(f"warmup: {self.warmup} steps do not fit in a run of {self.steps}")
        return self


class TrainConfig(RunConfig):
    """A run that learns from pairs: a bright face, and the same made dark, small, or both."""

    method: str = Field(description="method or preset, as `lumiface models` lists them")
    network: dict[str, Any] = Field(default_factory=dict, description="settings that overrule the preset's")
    recipe: dict[str, Any] = Field(default_factory=dict, description="settings of the method's losses")

    task: Task = Field(
        default="joint",
        description="joint, or one half of a chain: enlarge, enlarge-dark, lighten, lighten-small",
    )
    reduction: int = Field(
        default=4,
        ge=2,
        description="side of the bright picture over the small one's, where a network keeps size",
    )

    hr_size: int = Field(default=128, ge=32, description="side of the bright pictures in validation, pixels")
    sizes: list[SizeShare] = Field(
        default_factory=lambda: [SizeShare(side=32, share=1.0)],
        description="sides of the small pictures; a step has the pixels of `batch` pictures of the first",
    )
    rotate: bool = Field(default=False, description="random turns by 90° (the paper's), besides the flips")


class LifterRun(RunConfig):
    """A run that learns to lift photographs to tri-planes: faces with the points found in them."""

    part: str = Field(description="prior3d-lifter or one of its presets")
    network: dict[str, Any] = Field(default_factory=dict, description="settings that overrule the preset's")
    recipe: dict[str, Any] = Field(default_factory=dict, description="weights of the losses")
    meshes: str = Field(description=".npz with the points of the training faces (`lumiface prepare-meshes`)")
    validate_meshes: str = Field(description="the same for the faces of `validate_on`")
    validate_faces: int = Field(default=40, ge=1, description="so many of them are rendered in validation")


class PriorRun(RunConfig):
    """A run that learns to draw tri-planes of normally lit faces from dark photographs."""

    part: str = Field(description="prior3d-prior or one of its presets")
    network: dict[str, Any] = Field(default_factory=dict, description="settings that overrule the preset's")
    recipe: dict[str, Any] = Field(default_factory=dict, description="how photographs are made dark")
    lifter: str = Field(
        description="the lifter whose tri-planes are drawn, by name or file; its decoder is taken over"
    )
    meshes: str = Field(description=".npz with the points of the training faces (`lumiface prepare-meshes`)")
    validate_meshes: str = Field(description="the same for the faces of `validate_on`")
    validate_faces: int = Field(default=20, ge=1, description="so many of them are drawn in validation")
    view_side: int = Field(default=128, ge=32, description="side of the renderings in validation, pixels")
    keep_gib: float = Field(
        default=4.0, ge=0, description="memory in which tri-planes, once lifted, are kept"
    )


class EnhancerRun(RunConfig):
    """A run that learns to light faces from pairs, from a teacher, and from faces that have no bright
    counterpart; led by a 3D prior."""

    part: str = Field(description="prior3d-enhancer or one of its presets")
    network: dict[str, Any] = Field(default_factory=dict, description="settings that overrule the preset's")
    recipe: dict[str, Any] = Field(default_factory=dict, description="weights of the losses")
    prior: str | None = Field(
        description="the 3D prior that leads, by name or file; none: variant 5 of the ablation"
    )
    unpaired: list[str] = Field(description="folders or tars of square, aligned faces in low light")
    lead_side: int = Field(default=128, ge=16, description="side of the rendering and the depth map, pixels")
    faces: int | None = Field(
        default=None,
        ge=2,
        description="how many training faces are used; each is made dark once, and its prior drawn",
    )
    crop: int = Field(
        default=256, ge=32, multiple_of=8, description="side of what a step sees of a face, pixels"
    )
    validate_faces: int = Field(default=50, ge=1, description="so many faces are lit in validation")


class GeneratorRun(RunConfig):
    """A run that learns to draw faces from nothing: the generative prior of blind restoration."""

    part: str = Field(description="stylegan2 or one of its presets")
    generator: dict[str, Any] = Field(
        default_factory=dict, description="settings of the network that overrule the preset's"
    )
    recipe: dict[str, Any] = Field(default_factory=dict, description="weights of the losses")
    compare: int = Field(
        default=500, ge=10, description="so many faces are drawn in validation, and compared"
    )


def bright_over_small(config: TrainConfig, network_scale: int) -> int:
    """Side of the bright picture over that of the small one: the network's scale, where it enlarges.

    Raises:
        SettingError: the network's scale and the task contradict one another.
    """
    if (network_scale > 1) != (config.task in ENLARGING):
        can = ", ".join(ENLARGING if network_scale > 1 else SAME_SIZE)
        raise SettingError(f"{config.method} cannot be trained for the task {config.task}; it can for {can}")
    return network_scale if network_scale > 1 else config.reduction


def read_config(path: Path, overrides: dict[str, Any] | None = None) -> RunConfig:
    """A YAML file -> a checked configuration; `overrides` replace what the file says, unless they are None.

    A file that names a `part` is of a run that trains a part: the prior, where it names a `lifter`, the
    enhancer, where it names what is `unpaired`, the generator, where it has settings of a `generator`, or
    else the lifter; any other trains a method on pairs.

    A file may begin with `base: NAME`, another configuration, of which it then holds only what differs.

    Raises:
        InputError: the file or its base is absent or no YAML.
        SettingError: a setting is unknown or out of range; the line names it.
    """
    raw = _read(path)
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    settings: dict[str, Any] = raw | given
    try:
        return _kind(settings)(**settings)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "settings"
        raise SettingError(f"{path}: {place}: {first['msg']}") from error


def _read(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """What a file says, on top of what its base says; settings of network and recipe one by one.

    `above` are the files that stand on this one.
    """
    if path.resolve() in above:
        raise InputError(f"{path}: it is its own base; name another configuration")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
    if not isinstance(raw, dict):
        raise InputError(f"{path}: expected settings, one `name: value` a line")
    own: dict[str, Any] = raw
    if (name := own.pop("base", None)) is None:
        return own
    base = _read(find_config(name), (*above, path.resolve()))
    for key, value in own.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        base[key] = base[key] | value if both else value
    return base


def _kind(settings: dict[str, Any]) -> type[RunConfig]:
    if "part" not in settings:
        return TrainConfig
    by_setting = {"lifter": PriorRun, "unpaired": EnhancerRun, "generator": GeneratorRun}
    return next((kind for name, kind in by_setting.items() if name in settings), LifterRun)


def find_config(name_or_path: str | Path) -> Path:
    """A YAML file, or the name of one that ships ("lfsrnet-lite").

    Raises:
        InputError: there is neither a file nor a configuration of that name.
    """
    path = Path(name_or_path)
    shipped = shipped_configs()
    if path.is_file():
        return path
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    raise InputError(f"{path}: no such configuration; shipped are {', '.join(shipped)}, or give a YAML file")


def shipped_configs() -> dict[str, Path]:
    """Name -> file of the configurations that come with the package, or lie beside `src` in a checkout."""
    package = Path(str(resources.files("lumiface")))
    folders = (package / "configs", package.parents[1] / "configs")
    return {file.stem: file for folder in folders for file in sorted(folder.glob("*.yaml"))}

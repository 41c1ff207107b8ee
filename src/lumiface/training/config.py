"""What a training run is made of; the YAML files in `configs/` are exactly this.

Here stand what all runs have, and the run that trains a method on pairs; the runs that train parts stand in
`part_config`, and both are read from files by `read_config`.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from lumiface.core.errors import SettingError
from lumiface.core.settings import Settings
from lumiface.degradations.tasks import ENLARGING, SAME_SIZE, PairTask

Compile = Literal["never", "gpu", "always"]
"""Where networks are compiled."""


class SizeSchedule(Settings):
    """One size of input that training draws, and how often."""

    side: int = Field(ge=8, description="side of the small picture, pixels")
    weight: float = Field(gt=0, description="relative frequency of batches of this size")
    start: float = Field(
        default=0.0, ge=0, lt=1, description="part of the run, 0 to 1, from which it is drawn"
    )
    end: float = Field(default=1.0, gt=0, le=1, description="part of the run until which it is drawn")


class RunConfig(Settings):
    """What all runs have. Paths may hold `{data}`, the folder that is named when the run is started."""

    name: str = Field(description="the run's name, and that of the weights it makes")
    train: list[str] = Field(description="folders or tars of square, aligned faces to learn from")
    validate_on: str = Field(description="folder or tar of faces on which the best checkpoint is chosen")
    batch: int = Field(default=8, ge=1, description="faces a step, over all devices")
    steps: int = Field(
        default=20_000, ge=1, description="length of the run; the schedule is laid out over it"
    )
    minutes: float | None = Field(
        default=None,
        gt=0,
        description="length of the run by the clock, in place of `steps`: the schedule is laid out over it",
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
    compile: Compile = Field(
        default="never", description="where networks' forward passes are compiled (torch.compile)"
    )
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

    task: PairTask = Field(
        default="joint",
        description="joint, or one half of a chain: enlarge, sr-dark, lighten, enhance-small",
    )
    downscale: int = Field(
        default=4,
        ge=2,
        description="side of the bright picture over the small one's, where a network keeps size",
    )

    hr_size: int = Field(default=128, ge=32, description="side of the bright pictures in validation, pixels")
    sizes: list[SizeSchedule] = Field(
        default_factory=lambda: [SizeSchedule(side=32, weight=1.0)],
        description="sides of the small pictures; a step has the pixels of `batch` pictures of the first",
    )
    teacher: str | None = Field(
        default=None, description="model whose outputs are learnt from besides the truth (distillation)"
    )
    distill_weight: float = Field(
        default=1.0, gt=0, description="weight of the mean distance to the teacher's outputs"
    )
    lpips: float = Field(
        default=0.0, ge=0, description="weight of LPIPS-squeeze between output and truth: sharper, less exact"
    )
    min_crop: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="least share of a picture's side, around its middle, that is taken of large pictures",
    )
    rotate: bool = Field(default=False, description="random turns by 90° (the paper's), besides the flips")

    @model_validator(mode="after")
    def _sizes_at_all_times(self) -> Self:
        # Sizes are drawn in [since, until): nothing new begins between these points.
        for point in {size.start for size in self.sizes} | {0.0} | {s.end for s in self.sizes if s.end < 1}:
            if not any(size.start <= point < size.end for size in self.sizes):
                raise ValueError(f"sizes: none is drawn when {point:.0%} of the run are over")
        return self


def scale_factor(config: TrainConfig, network_scale: int) -> int:
    """Side of the bright picture over that of the small one: the network's scale, where it enlarges.

    Raises:
        SettingError: the network's scale and the task contradict one another.
    """
    if (network_scale > 1) != (config.task in ENLARGING):
        can = ", ".join(ENLARGING if network_scale > 1 else SAME_SIZE)
        raise SettingError(f"{config.method} cannot be trained for the task {config.task}; it can for {can}")
    return network_scale if network_scale > 1 else config.downscale

"""What a training run is made of; the YAML files in `configs/` are exactly this.

Here stand the settings of every run, those of a run that trains a method on pairs, and the base of runs that
train a component; the latter stand beside their tasks. All are read from files by `read_config`.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from lumiface.core.errors import SettingError
from lumiface.core.settings import Settings
from lumiface.degradations.tasks import DAMAGED, ENLARGING, SAME_SIZE, PairTask

Compile = Literal["never", "parts", "gpu", "always"]
"""Where networks are compiled; "parts": on a GPU, and only functions of many small operations: seconds."""


class SizeSchedule(Settings):
    """One input size of training: how often it is sampled, and in which part of the run."""

    old_names = {"share": "weight", "since": "start", "until": "end"}

    side: int = Field(ge=8, description="side of the network's input, pixels")
    weight: float = Field(gt=0, description="relative frequency of batches of this size")
    start: float = Field(default=0.0, ge=0, lt=1, description="fraction of the run from which it is sampled")
    end: float = Field(default=1.0, gt=0, le=1, description="fraction of the run until which it is sampled")


class RunConfig(Settings):
    """Settings of every run. Paths may hold `{data}`, the data folder given when the run is started."""

    name: str = Field(description="name of the run and of the weights it writes")
    train: list[str] = Field(description="folders or tars of square, aligned faces to train on")
    validate_on: str = Field(description="folder or tar of faces on which the best checkpoint is chosen")
    batch: int = Field(default=8, ge=1, description="batch size over all devices")
    steps: int = Field(default=20_000, ge=1, description="length of the run and of its LR schedule, in steps")
    minutes: float | None = Field(
        default=None, gt=0, description="length of the run and of its LR schedule by the clock, minutes"
    )
    lr: float = Field(default=2e-4, gt=0, description="Adam's learning rate")
    warmup: int = Field(default=200, ge=0, description="steps of linear learning-rate warm-up")
    schedule: Literal["cosine", "milestones", "constant"] = Field(
        default="cosine",
        description="cosine: decays to lr_end; milestones: halved at 50, 75, 90 %% of the run; constant",
    )
    lr_end: float = Field(
        default=0.01, ge=0, le=1, description="learning rate at the end of the cosine, as a fraction of lr"
    )
    clip: float = Field(default=1.0, gt=0, description="gradient-norm clipping threshold")
    ema: float = Field(
        default=0.999, ge=0, lt=1, description="decay of the moving average of the weights, which is shipped"
    )
    precision: Literal["32-true", "bf16-mixed"] = Field(default="32-true", description="arithmetic precision")
    compile: Compile = Field(
        default="never",
        description="where torch.compile is used: gpu: networks, losses, degradation; parts: on a GPU, "
        "degradation and augmentation alone, which takes less time",
    )
    seed: int = Field(
        default=0, ge=0, description="seed of data order, augmentation, degradation and initial weights"
    )
    validate_every: int = Field(default=500, ge=1, description="steps between validations")
    save_every: int = Field(
        default=250, ge=1, description="steps between states from which the run can resume"
    )
    gradients_every: int = Field(
        default=500,
        ge=0,
        description="steps between measurements of each loss term's gradient, for the log; 0: never",
    )

    @model_validator(mode="after")
    def _warmup_fits(self) -> Self:
        if self.warmup >= self.steps:
            raise ValueError(f"warmup: {self.warmup} steps do not fit in a run of {self.steps}")
        return self


class TrainConfig(RunConfig):
    """A run that trains a method on pairs: a bright face, and the same made dark, small, or both."""

    old_names = {"taught": "distill_weight", "zoom": "min_crop", "reduction": "downscale"}
    old_values = {
        "task": {
            "enlarge": "sr",
            "enlarge-dark": "sr-dark",
            "lighten": "enhance",
            "lighten-small": "enhance-small",
        }
    }

    method: str = Field(description="method or preset, as listed by `lumiface models`")
    network: dict[str, Any] = Field(default_factory=dict, description="settings that overrule the preset's")
    recipe: dict[str, Any] = Field(default_factory=dict, description="settings of the method's losses")

    task: PairTask = Field(
        default="joint",
        description="joint; one stage of a chain: sr, sr-dark, enhance, enhance-small; or to undo a "
        "benchmark's damage at full size: frr, blind",
    )
    downscale: int = Field(
        default=4,
        ge=2,
        description="downscaling factor of the small picture, for networks that keep the size",
    )
    hr_size: int = Field(default=128, ge=32, description="side of the bright pictures in validation, pixels")
    sizes: list[SizeSchedule] = Field(
        default_factory=lambda: [SizeSchedule(side=32, weight=1.0)],
        description="input sizes; each step has as many pixels as `batch` pictures of the first size",
    )
    teacher: str | None = Field(
        default=None, description="model whose outputs are a second target (distillation)"
    )
    distill_weight: float = Field(
        default=1.0, gt=0, description="weight of the L1 distance to the teacher's outputs"
    )
    lpips: float = Field(
        default=0.0,
        ge=0,
        description="weight of LPIPS-squeeze between output and target: sharper, lower PSNR",
    )
    lpips_shift: int = Field(
        default=0,
        ge=0,
        le=16,
        description="largest shift, pixels, at which LPIPS sees the pictures, at random: its network has "
        "strides, and a fixed position of them leaves a faint grid",
    )
    identity: float = Field(
        default=0.0,
        ge=0,
        description="weight of the distance of a face recogniser's embeddings of output and target",
    )
    min_crop: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="smallest centre crop, as a fraction of the side, of pictures larger than needed",
    )
    crop: int | None = Field(
        default=None,
        ge=16,
        description="side of random crops of input and target after the degradation, pixels, for networks "
        "that keep the size; none: whole faces",
    )
    rotate: bool = Field(
        default=False, description="random rotations by 90° (the paper's), in addition to the flips"
    )

    @model_validator(mode="after")
    def _crops_keep_the_size(self) -> Self:
        if self.crop is not None and self.task in ENLARGING:
            raise ValueError(f"crop: not for the task {self.task}, whose target is larger than the input")
        return self

    @model_validator(mode="after")
    def _sizes_at_all_times(self) -> Self:
        # Sizes are sampled in [start, end): the set changes only at these points.
        ends = {size.end for size in self.sizes if size.end < 1}
        for point in {size.start for size in self.sizes} | {0.0} | ends:
            if not any(size.start <= point < size.end for size in self.sizes):
                raise ValueError(f"sizes: none is sampled at {point:.0%} of the run")
        return self


class ComponentRun(RunConfig):
    """A run that trains one component of a method."""

    old_names = {"part": "component"}

    component: str = Field(description="name of a component or of one of its presets")
    network: dict[str, Any] = Field(default_factory=dict, description="settings that overrule the preset's")
    recipe: dict[str, Any] = Field(
        default_factory=dict, description="how it is trained: loss weights, degradation of the faces"
    )


class AdversarialRun(ComponentRun):
    """A run that trains one component, against a discriminator if its recipe has an adversarial loss."""

    discriminator_from: str | None = Field(
        default=None,
        description="discriminator to start from: discriminator.safetensors or state.safetensors of a run",
    )


def network_scale(config: TrainConfig, network: Any) -> int:
    """The upscaling factor of a network with the configuration `network`.

    Raises:
        SettingError: the configuration has no scale, or `hr_size` is not a multiple of it.
    """
    scale: int | None = getattr(network, "scale", None)
    if scale is None:
        raise SettingError(f"{config.method}: its configuration has no `scale`, the upscaling factor; add it")
    if config.hr_size % scale:
        raise SettingError(f"hr_size {config.hr_size} must be a multiple of the network's scale {scale}")
    return scale


def scale_factor(config: TrainConfig, scale: int) -> int:
    """Side of the bright picture divided by that of the small one: the network's scale, if it enlarges.

    Raises:
        SettingError: the network's scale and the task contradict one another.
    """
    if (scale > 1) != (config.task in ENLARGING):
        possible = ", ".join(ENLARGING if scale > 1 else SAME_SIZE + DAMAGED)
        raise SettingError(
            f"{config.method} cannot be trained for the task {config.task}; it can for {possible}"
        )
    return scale if scale > 1 else config.downscale

"""The settings of the blind degradation, and named presets of them; see `blind`."""

from __future__ import annotations

import math
from typing import Any, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from lumiface.core.settings import Settings
from lumiface.degradations.jitter import JitterConfig
from lumiface.degradations.motion import MotionConfig
from lumiface.degradations.parameters import Range, validate_ranges

PRESETS: dict[str, dict[str, Any]] = {
    "gfpgan": {"jitter": {}},
    "dfdnet": {
        "sigma": (1.0, 5.0),
        "isotropic": 1.0,
        "factor": (1.0, 8.0),
        "noise": (0.0, 15.0),
        "quality": (40, 80),
        "colour": 0.0,
        "grey": 0.0,
        "motion": {},
    },
}
"""Name -> the settings that differ from the defaults."""


class BlindConfig(Settings):
    """The ranges (low, high) that parameters are sampled from, uniformly per picture, both ends included.

    The key `preset` names one of `PRESETS`, whose settings the others overrule; it is not stored.
    """

    sigma: Range = Field(
        default=(0.1, 10.0),
        description="standard deviations of the blur, pixels at 512 x 512; scaled to other sizes",
    )
    isotropic: float = Field(default=0.5, ge=0.0, le=1.0, description="probability of an isotropic blur")
    factor: Range = Field(default=(0.8, 8.0), description="r: intermediate downscale factor")
    noise: Range = Field(default=(0.0, 20.0), description="δ: standard deviation of the noise, 8-bit levels")
    quality: tuple[int, int] = Field(default=(60, 100), description="q: JPEG quality, 1 to 100")
    colour: float = Field(default=0.3, ge=0.0, le=1.0, description="probability of a colour shift")
    shift: float = Field(
        default=20.0 / 255.0, ge=0.0, le=1.0, description="largest shift of R, G or B, on the [0, 1] scale"
    )
    grey: float = Field(default=0.01, ge=0.0, le=1.0, description="probability of a grey picture")
    motion: MotionConfig | None = Field(default=None, description="motion blur of some pictures; null: none")
    jitter: JitterConfig | None = Field(
        default=None, description="brightness, contrast, saturation and hue of some pictures; null: kept"
    )

    @model_validator(mode="before")
    @classmethod
    def _expand_preset(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "preset" not in given:
            return given
        rest = {name: value for name, value in given.items() if name != "preset"}
        if given["preset"] not in list(PRESETS):  # a list: what is given may be unhashable
            raise ValueError(f"preset: {given['preset']!r} is none of {', '.join(PRESETS)}")
        return PRESETS[given["preset"]] | rest

    @model_serializer(mode="wrap")
    def _without_unused(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without parts that are off: sets built before they existed have the same settings."""
        return {name: value for name, value in handler(self).items() if value is not None}

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        bounds = {"sigma": (0.0, math.inf), "factor": (1e-3, math.inf), "noise": (0.0, 255.0)}
        validate_ranges(self, bounds | {"quality": (1.0, 100.0)})
        return self

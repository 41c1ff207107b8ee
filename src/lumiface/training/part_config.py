"""The runs that train parts of methods: one class of settings for each kind of lesson."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from lumiface.training.config import RunConfig


class ComponentRun(RunConfig):
    """A run that trains one part."""

    component: str = Field(description="a part's name or one of its presets'")
    network: dict[str, Any] = Field(default_factory=dict, description="settings that overrule the preset's")
    recipe: dict[str, Any] = Field(
        default_factory=dict, description="how it is taught: weights of the losses, damage done to faces"
    )


class LifterRun(ComponentRun):
    """A run that learns to lift photographs to tri-planes: faces with the points found in them."""

    meshes: str = Field(description=".npz with the points of the training faces (`lumiface prepare-meshes`)")
    validate_meshes: str = Field(description="the same for the faces of `validate_on`")
    validate_faces: int = Field(default=40, ge=1, description="so many of them are rendered in validation")


class DiffusionPriorRun(ComponentRun):
    """A run that learns to draw tri-planes of normally lit faces from dark photographs."""

    lifter: str = Field(
        description="the lifter whose tri-planes are drawn, by name or file; its decoder is taken over"
    )
    meshes: str = Field(description=".npz with the points of the training faces (`lumiface prepare-meshes`)")
    validate_meshes: str = Field(description="the same for the faces of `validate_on`")
    validate_faces: int = Field(default=20, ge=1, description="so many of them are drawn in validation")
    render_size: int = Field(default=128, ge=32, description="side of the renderings in validation, pixels")
    cache_gib: float = Field(
        default=4.0, ge=0, description="memory in which tri-planes, once lifted, are kept"
    )


class EnhancerRun(ComponentRun):
    """A run that learns to light faces from pairs, from a teacher, and from faces that have no bright
    counterpart; led by a 3D prior."""

    prior: str | None = Field(
        description="the 3D prior that leads, by name or file; none: variant 5 of the ablation"
    )
    unpaired: list[str] = Field(description="folders or tars of square, aligned faces in low light")
    prior_size: int = Field(default=128, ge=16, description="side of the rendering and the depth map, pixels")
    faces: int | None = Field(
        default=None,
        ge=2,
        description="how many training faces are used; each is made dark once, and its prior drawn",
    )
    crop: int = Field(
        default=256, ge=32, multiple_of=8, description="side of what a step sees of a face, pixels"
    )
    validate_faces: int = Field(default=50, ge=1, description="so many faces are lit in validation")


class AutoencoderRun(ComponentRun):
    """A run in which the generator learns to draw again the faces that it is shown."""

    num_fid_samples: int = Field(
        default=500, ge=10, description="so many faces are drawn in validation, and compared"
    )
    num_fit_samples: int = Field(
        default=4000, ge=2, description="so many training faces' codes lead the way from z, in validation"
    )


class StyleGAN2Run(ComponentRun):
    """A run that learns to draw faces from nothing: the generative prior of blind restoration."""

    num_fid_samples: int = Field(
        default=500, ge=10, description="so many faces are drawn in validation, and compared"
    )


class BlindRestorerRun(ComponentRun):
    """A run that learns to restore damaged faces, led by what a generator knows of faces."""

    prior: str | None = Field(
        description="the generator that draws, by name or file; none: the ablation's variant without it"
    )
    train_generator: bool = Field(default=False, description="the trained generator learns, too")
    validate_faces: int = Field(default=50, ge=1, description="so many faces are restored in validation")

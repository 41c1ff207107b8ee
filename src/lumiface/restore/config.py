"""The settings of `restore`, from which command line and documentation are made."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lumiface.core.settings import Settings
from lumiface.restore.tasks import TaskOption


class RestoreConfig(Settings):
    """How photographs are restored."""

    task: TaskOption | None = Field(
        default=None,
        description="joint: light and enlarge; enhance: light alone; blind: mend blur, noise, compression; "
        "auto: what serves the photograph best; default: what the model is for, or joint",
    )
    scale: Literal[1, 2, 4] | None = Field(
        default=None, description="how many times larger the result is; default: 4 for joint, else 1"
    )
    strength: float = Field(
        default=1.0, ge=0, le=1, description="0: the photograph, only enlarged; 1: fully restored"
    )
    fidelity: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="blind: 0: a likely face; 1: as near to the photograph as learnt; default: the model's",
    )
    refine: int = Field(
        default=0, ge=0, description="blind: so many steps of seeking each face's own codes; slow"
    )
    colour: bool = Field(default=False, description="blind: give faces of a grey photograph colours")
    background: Literal["keep", "light"] = Field(
        default="light",
        description="light: the rest is lit as the faces were; keep: outside the faces nothing changes",
    )
    faces: Literal["all", "largest", "none"] = Field(default="all", description="which faces are restored")
    min_face: float = Field(default=16.0, ge=12, description="side of the smallest face looked for, pixels")
    save_prior: bool = Field(
        default=False,
        description="show the 3D face that led (enhance): a sheet, and a turntable, beside the result",
    )
    max_output_megapixels: float = Field(
        default=50.0, gt=0, description="a result that would be larger is made at the next smaller scale"
    )

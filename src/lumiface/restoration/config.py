"""The options of `restore`; the help texts of the command line are generated from their descriptions."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lumiface.core.settings import Settings
from lumiface.faces.detectors.choice import DetectorName
from lumiface.restoration.tasks import TaskOption
from lumiface.runtimes import Precision, Runtime


class RestoreConfig(Settings):
    """Options of the restoration of photographs."""

    task: TaskOption | None = Field(
        default=None,
        description="joint: brighten and enlarge; enhance: brighten only; blind: remove blur, noise and "
        "compression; auto: choose for each face; default: auto, or the task of --model",
    )
    scale: Literal[1, 2, 4] | None = Field(
        default=None,
        description="enlargement factor; default: 4 for joint, or if the main face is small, else 1",
    )
    strength: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="0: the input, only enlarged; 1: fully restored; between: a blend",
    )
    fidelity: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="weight of the image features, 0 to 1, blind only; default: the model's",
    )
    refine: int = Field(default=0, ge=0, description="latent-optimisation steps per face, blind only (slow)")
    colour: bool = Field(default=False, description="colourise the faces of a grey photograph, blind only")
    background: Literal["keep", "light"] = Field(
        default="light",
        description="light: relight the background to match the faces; keep: leave it unchanged",
    )
    background_model: str | None = Field(
        default=None,
        description="what enlarges the photograph around the faces: a file (with spandrel also Real-ESRGAN's "
        "and others'), or bicubic; default: the shipped network",
    )
    faces: Literal["all", "largest", "none"] = Field(default="all", description="which faces to restore")
    min_face: float = Field(default=16.0, ge=12, description="size of the smallest face to detect, pixels")
    detector: DetectorName = Field(
        default="auto",
        description="what finds faces: mtcnn; yunet, faster, a file of 0.3 MB; auto: yunet where its file "
        "is present, else mtcnn",
    )
    save_prior: bool = Field(
        default=False,
        description="save the 3D prior as a contact sheet and a turntable GIF (enhance)",
    )
    guard: bool = Field(
        default=True,
        description="restore a face less where it would no longer be the same person",
    )
    trust: Literal["identity", "full"] = Field(
        default="identity",
        description="what is measured of each face: identity; full: also how well it agrees with the "
        "photograph and what is guessed (slow: the face is restored 6 times)",
    )
    runtime: Runtime = Field(
        default="auto",
        description="what runs the networks on the CPU: torch, onnx (ONNX Runtime) or openvino; auto: the "
        "fastest of those installed, tried once for each model",
    )
    precision: Precision = Field(
        default="float32",
        description="bf16: faster on processors that have it, with --runtime openvino or auto; differs by at "
        "most 4 of 255 levels",
    )
    mark: bool = Field(
        default=True,
        description="write into the result's metadata that it was restored, by what and with which settings",
    )
    max_output_megapixels: float = Field(
        default=50.0,
        gt=0,
        description="limit of the result's size; a larger result gets the next smaller scale",
    )

    @property
    def generative_options(self) -> list[str]:
        """The options that were set and that only a generative network has."""
        is_set = {"fidelity": self.fidelity is not None, "refine": self.refine > 0, "colour": self.colour}
        return [name for name, requested in is_set.items() if requested]

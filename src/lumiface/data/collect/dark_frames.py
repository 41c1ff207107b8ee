"""Which frames hold a really dark face worth learning from, and that face cut out.

The semi-supervised 3D-prior enhancer learns from unpaired dark faces (its section 4.1): frames of CelebV-HQ
whose mean brightness is below 0.2, without strong blur or odd exposure. CelebV-HQ's frames are already cut to
the face; here any video is taken, so the light is asked of the whole frame first, which is quick, and of the
aligned face again.

NOTE(paper): blurred, hidden and badly exposed faces were sorted out by hand there; here by measures, whose
limits are settings, and hidden faces only as far as the detector does not see them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor

from lumiface.core.settings import Settings
from lumiface.faces.align import crop_face, face_matrix, invert, native_side
from lumiface.faces.detect import FaceDetector
from lumiface.faces.find import find_faces
from lumiface.imaging.color import luma
from lumiface.imaging.denoise import noise_level
from lumiface.imaging.quantize import from_uint8, to_uint8

Reason = Literal["bright", "black", "no face", "small", "cut off", "bright face", "blurred", "duplicate"]

HASH_BITS = 143


class DarkFrameConfig(Settings):
    """What is looked for. The defaults are the paper's limit of light, and ours for the rest."""

    every: float = Field(default=0.5, ge=0, description="seconds between looks at a video; 0: every frame")
    max_luma: float = Field(
        default=0.2, gt=0, le=1, description="mean luma of frame and face must be below this; 0 to 1"
    )
    min_luma: float = Field(
        default=0.02, ge=0, le=1, description="mean luma of the face must reach this; below, all is black"
    )
    size: int = Field(default=256, ge=32, description="side of the faces that are written, pixels")
    min_side: int = Field(
        default=192, ge=32, description="least side of an aligned face in the frame, pixels; less is enlarged"
    )
    max_outside: float = Field(
        default=0.1, ge=0, le=1, description="largest share of an aligned face beyond the frame's rim"
    )
    min_sharpness: float = Field(
        default=0.01, ge=0, description="least sharpness; blur of 3 pixels leaves less, 1 pixel more; 0: any"
    )
    min_distance: int = Field(
        default=20,
        ge=0,
        le=HASH_BITS,
        description="least number of unlike bits of 143 between two faces kept",
    )

    @model_validator(mode="after")
    def _some_light_is_left(self) -> DarkFrameConfig:
        if self.min_luma >= self.max_luma:
            raise ValueError(f"min_luma {self.min_luma:g} must be below max_luma {self.max_luma:g}")
        return self


@dataclass(frozen=True, slots=True, eq=False)
class DarkFace:
    """A face that was chosen.

    Attributes:
        picture: (size, size, 3) uint8 RGB, aligned as FFHQ is.
        luma: its mean luma, 0 to 1.
        sharpness: see `sharpness`.
        side: of its aligned square in the frame, pixels.
        score: the detector's.
        code: see `picture_hash`.
    """

    picture: npt.NDArray[np.uint8]
    luma: float
    sharpness: float
    side: float
    score: float
    code: int


class DarkFaceSelector:
    """Looks at frames one by one and remembers the hashes of the faces that it chose, 18 bytes each."""

    def __init__(self, config: DarkFrameConfig, device: torch.device | str = "cpu") -> None:
        self.config = config
        self.device = device
        # A face's box is about half of its aligned square; large pictures are shrunk before the detector.
        self.detector = FaceDetector(min_face=max(20.0, 0.2 * config.min_side)).to(device).eval()
        self.codes: list[int] = []

    def __call__(self, frame: npt.NDArray[np.uint8]) -> DarkFace | Reason:
        """The largest face of a frame (H, W, 3) uint8, or why there is none to take; cheap reasons first."""
        config = self.config
        if mean_luma(frame) >= config.max_luma:
            return "bright"
        rgb = from_uint8(frame).to(self.device)
        faces = find_faces(rgb, self.detector, which="largest")
        if not faces:
            return "no face"
        side, matrix = native_side(faces[0]), face_matrix(faces[0])
        if side < config.min_side:
            return "small"
        if _outside(matrix, rgb.shape[-2], rgb.shape[-1]) > config.max_outside:
            return "cut off"
        crop = to_uint8(crop_face(rgb, matrix, config.size))
        picture = np.ascontiguousarray(crop[0].permute(1, 2, 0).cpu().numpy())
        light = mean_luma(picture)
        if not config.min_luma <= light < config.max_luma:
            return "black" if light < config.min_luma else "bright face"
        planes = from_uint8(picture)
        edges = sharpness(planes)
        if edges < config.min_sharpness:
            return "blurred"
        code = picture_hash(planes)
        if any((code ^ other).bit_count() < config.min_distance for other in self.codes):
            return "duplicate"
        self.codes.append(code)
        return DarkFace(picture, light, edges, side, faces[0].score, code)


def mean_luma(picture: npt.NDArray[np.uint8]) -> float:
    """Mean BT.601 luma of (H, W, 3) uint8, 0 to 1."""
    red, green, blue = (float(mean) / 255.0 for mean in picture.mean(axis=(0, 1), dtype=np.float64))
    return 0.299 * red + 0.587 * green + 0.114 * blue


def sharpness(face: Tensor) -> float:
    """How much fine structure a face has for its light; 0 for none.

    `(var(∇²y) - 5σ²) / mean(y)²`, y the luma of the face reduced to 128 x 128, ∇² the Laplacian of the four
    neighbours, σ the noise of the face (`noise.noise_level`): noise alone would count as 20σ² at the full
    size, a quarter of that after the reduction, and in a dark picture it would hide any blur. Divided by the
    squared light, so that a darker copy of a face is as sharp as the face. Measured on 40 darkened faces of
    256 pixels, with noise of 0 to 2.5 levels: 0.13 as they are (0.06 for 95 %), 0.043, 0.012, 0.005 and 0.002
    after a blur of 1, 2, 3 and 4 pixels; 30 really dark faces 0.049 (0.013 for 95 %).

    Args:
        face: (1, 3, H, W) in [0, 1], 256 pixels for the numbers above to hold.
    """
    light = luma(face)
    small = F.interpolate(light, (128, 128), mode="area")
    laplacian = torch.tensor([[[[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]]]])
    structure = float(F.conv2d(small, laplacian).var()) - 5.0 * noise_level(light) ** 2
    return max(structure, 0.0) / max(float(light.mean()), 1.0 / 255.0) ** 2


def picture_hash(face: Tensor) -> int:
    """143 bits that stay when a picture is darkened, made noisy or moved a little: pHash (Zauner 2010).

    Which of the 12 x 12 lowest frequencies of the cosine transform of the luma, reduced to 32 x 32, lie above
    their median; the mean is left out. Between 36,000 pairs of aligned faces 66 bits differ on average and
    34 at least, save one; with noise of 5 levels the same face differs in up to 8, moved by 2 pixels in up
    to 18.

    Args:
        face: (1, 3, H, W) in [0, 1].
    """
    small = F.interpolate(luma(face), (32, 32), mode="area")[0, 0].double()
    k, n = torch.arange(12.0, dtype=torch.float64)[:, None], torch.arange(32.0, dtype=torch.float64)
    cosines = torch.cos((2.0 * n + 1.0) * k * (math.pi / 64.0))
    frequencies = (cosines @ small @ cosines.mT).flatten()[1:]
    bits = (frequencies > frequencies.median()).tolist()
    return sum(1 << place for place, bit in enumerate(bits) if bit)


def _outside(matrix: Tensor, height: int, width: int) -> float:
    """The share of the aligned square beyond the frame; `matrix` takes pixels to the unit square."""
    step = (torch.arange(32, dtype=torch.float64) + 0.5) / 32
    grid = torch.stack([*torch.meshgrid(step, step, indexing="xy"), torch.ones(32, 32, dtype=torch.float64)])
    x, y = (invert(matrix) @ grid.flatten(1)).unbind(0)
    return float(((x < 0) | (x > width) | (y < 0) | (y > height)).double().mean())

"""How the face embedder is trained: the teacher sees the clean face, the network a damaged one.

Hinton et al. 2015, "Distilling the knowledge in a neural network": the target is the teacher's embedding of
the clean face (cosine), and the teacher's similarities of all faces of the batch (Park et al. 2019,
"Relational knowledge distillation").
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from lumiface.core.draws import rand
from lumiface.core.settings import Settings
from lumiface.degradations.camera_pipeline import CameraConfig, simulate_camera
from lumiface.losses.recognition_crop import BOX, EXPOSURE, SIDE, equalise_exposure, recognition_crop


class FaceEmbedderRecipeConfig(Settings):
    """Damage of the faces, and weights of the losses."""

    camera: CameraConfig = Field(
        default=CameraConfig(
            gain=(0.1, 1.0), sigma=(0.0, 1.0), shot=(0.0, 0.004), read=(0.0, 0.02), quality=(50, 100)
        ),
        description="darkening, blur, noise and JPEG",
    )
    scales: tuple[int, ...] = Field(
        default=(0, 1, 2, 4),
        description="how many times smaller the faces become; each for an equal part of a batch; 0: clean",
    )
    shift: float = Field(default=0.02, ge=0, le=0.1, description="largest shift, fraction of the crop's side")
    zoom: float = Field(default=0.05, ge=0, le=0.3, description="largest change of size, as a fraction")
    turn: float = Field(default=4.0, ge=0, le=45, description="largest rotation, degrees")
    light: float = Field(default=0.05, ge=0, le=0.3, description="largest error of the mean after the gamma")
    cosine: float = Field(default=1.0, ge=0, description="weight of 1 - cosine with the teacher's embedding")
    relation: float = Field(
        default=10.0, ge=0, description="weight of the squared error of the similarities of different faces"
    )


class FaceEmbedderRecipe(nn.Module):
    """Damage and loss of one training step; it has no random state."""

    def __init__(self, config: FaceEmbedderRecipeConfig, seed: int) -> None:
        super().__init__()
        self.config = config

    def degrade(self, faces: Tensor, generator: torch.Generator) -> Tensor:
        """Damage aligned faces (B, 3, S, S), S a multiple of all scales -> crops (B, 3, 112, 112)."""
        config, damaged = self.config, list[Tensor]()
        for scale, part in zip(config.scales, faces.tensor_split(len(config.scales)), strict=True):
            if len(part) == 0:  # a batch smaller than the number of scales
                continue
            bad = simulate_camera(part, config.camera, scale, generator) if scale else part
            damaged.append(bad if scale < 2 else F.interpolate(bad, size=faces.shape[-2:], mode="bicubic"))
        crops = self._jitter(torch.cat(damaged).clamp(0.0, 1.0), generator)
        mean = EXPOSURE + config.light * (2.0 * rand((1,), generator) - 1.0)
        return equalise_exposure(crops, mean)

    def clean(self, faces: Tensor) -> Tensor:
        """The crops as they are at inference."""
        return equalise_exposure(recognition_crop(faces))

    def forward(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The weighted loss terms by name; their sum is minimised.

        Args:
            output, target: (B, D), unit length: of the damaged face, and the teacher's of the clean one.
        """
        # The diagonal, 1 - 1, counts nothing; picking the other values would wait for the device.
        difference = (output @ output.mT - target @ target.mT) * (
            1.0 - torch.eye(len(output), device=output.device)
        )
        pairs = max(1, len(output) * (len(output) - 1))
        return {
            "cosine": self.config.cosine * (1.0 - (output * target).sum(dim=1)).mean(),
            "relation": self.config.relation * difference.square().sum() / pairs,
        }

    def _jitter(self, faces: Tensor, generator: torch.Generator) -> Tensor:
        """Crops at slightly wrong places, as detectors give them."""
        config, count = self.config, len(faces)
        shift_x, shift_y, zoom, turn = (2.0 * rand((4, count), generator) - 1.0).to(faces)
        size = (BOX[2] - BOX[0]) * (1.0 + config.zoom * zoom)
        angle = math.radians(config.turn) * turn
        centre = BOX[0] + BOX[2] - 1.0, BOX[1] + BOX[3] - 1.0
        cosine, sine = size * angle.cos(), size * angle.sin()
        rows = [
            torch.stack([cosine, -sine, centre[0] + 2.0 * config.shift * shift_x], dim=1),
            torch.stack([sine, cosine, centre[1] + 2.0 * config.shift * shift_y], dim=1),
        ]
        grid = F.affine_grid(torch.stack(rows, dim=1), [count, 3, SIDE, SIDE], align_corners=False)
        return F.grid_sample(faces, grid, padding_mode="reflection", align_corners=False)

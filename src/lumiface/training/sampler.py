"""What the loop needs besides the network: the rate's course, averaged weights, the draw of data."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lumiface.data.training.face_set import FaceSet
from lumiface.training.config import TrainConfig


class Draw:
    """The batch of each step, a pure function of (seed, step, rank): to resume, nothing need be stored.

    Each step draws one input size; the number of faces follows from it, so that every step has about the
    pixels of `batch` faces of the first size. The processes of a distributed run share one draw of faces
    and take every `world`-th of it.
    """

    def __init__(
        self, faces: FaceSet, config: TrainConfig, scale: int, rank: int = 0, world: int = 1
    ) -> None:
        self.faces, self.config, self.scale, self.rank, self.world = faces, config, scale, rank, world

    def __call__(self, step: int, progress: float = 0.0) -> tuple[Tensor, Tensor, torch.Generator]:
        """Bright pictures (B, 3, H, H), their faces' boxes (B, 4) in pixels, and a generator for the rest."""
        rng = np.random.default_rng([self.config.seed, step])
        shares = np.array([size.weight * (size.start <= progress < size.end) for size in self.config.sizes])
        side = self.config.sizes[int(rng.choice(len(shares), p=shares / shares.sum()))].side
        count = round(self.config.batch * (self.config.sizes[0].side / side) ** 2)
        count = max(self.world, count - count % self.world)
        indices = rng.choice(self.faces.count(side * self.scale), count, replace=False)
        # One share a step, in eighths of what may be cut off: few sizes are few sets of resampling weights.
        share = (
            1.0 - (1.0 - self.config.min_crop) * int(rng.integers(9)) / 8 if self.config.min_crop < 1 else 1.0
        )
        pictures, boxes = self.faces.batch(
            indices[self.rank :: self.world].tolist(), side * self.scale, share
        )
        mirrored = torch.from_numpy(rng.random(count) < 0.5)[self.rank :: self.world]
        pictures, boxes = mirror(pictures, boxes, mirrored.to(pictures.device))
        if self.config.rotate:
            pictures, boxes = turn(pictures, boxes, int(rng.integers(4)))
        # Where the pictures are: a processor that draws a GPU's noise keeps it waiting.
        generator = torch.Generator(pictures.device).manual_seed(int(rng.integers(2**62)) + self.rank)
        return pictures, boxes, generator


def mirror(pictures: Tensor, boxes: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
    """Flip the pictures (B, 3, H, W) left to right where `which` (B,) says so, and their boxes (B, 4)."""
    width = pictures.shape[-1]
    flipped = torch.where(which[:, None, None, None], pictures.flip(-1), pictures)
    x1, y1, x2, y2 = boxes.unbind(1)
    turned = torch.stack([width - x2, y1, width - x1, y2], dim=1)
    return flipped, torch.where(which[:, None], turned, boxes)


def turn(pictures: Tensor, boxes: Tensor, quarters: int) -> tuple[Tensor, Tensor]:
    """Turn square pictures (B, 3, H, H) and their boxes (B, 4) by `quarters` x 90°, counter-clockwise."""
    side = pictures.shape[-1]
    for _ in range(quarters):
        pictures = pictures.rot90(1, dims=(-2, -1))
        x1, y1, x2, y2 = boxes.unbind(1)
        boxes = torch.stack([y1, side - x2, y2, side - x1], dim=1)
    return pictures, boxes

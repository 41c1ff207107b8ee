"""Batches of faces for training on pairs, with flips, quarter turns and random centre crops."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lumiface.core.device import to_device
from lumiface.core.seeds import StepRandom
from lumiface.data.training.choose import choose_faces, require_faces
from lumiface.data.training.face_set import FaceSet
from lumiface.training.config import TrainConfig

CROP_LEVELS = 8
"""Crops are sampled in eighths of the range: few sizes need few sets of resampling weights."""


class BatchSampler:
    """The batch of each step, a pure function of (seed, step, rank): nothing is stored to resume.

    Each step samples one input size; the number of faces follows from it, so that every step has about the
    pixels of `batch` faces of the first size. The processes of a distributed run sample the same faces and
    take every `world_size`-th of them.

    Raises:
        InputError: there are fewer faces than a step takes.
    """

    def __init__(
        self, faces: FaceSet, config: TrainConfig, scale: int, rank: int = 0, world_size: int = 1
    ) -> None:
        self.faces, self.config, self.scale = faces, config, scale
        self.rank, self.world_size = rank, world_size
        for size in config.sizes:
            side = size.side * scale
            require_faces(faces.count(side), self._count(size.side), side)

    def __call__(self, step: int, progress: float = 0.0) -> tuple[Tensor, Tensor, torch.Generator]:
        """Bright images (B, 3, H, H), their faces' boxes (B, 4) in pixels, and a generator for the rest."""
        random = StepRandom(self.config.seed, step)
        rng = random.rng
        side = self._input_side(progress, rng)
        count = self._count(side)
        indices = choose_faces(rng, self.faces.count(side * self.scale), count)
        images, boxes = self.faces.batch(
            indices[self.rank :: self.world_size].tolist(), side * self.scale, self._crop(rng)
        )
        flipped = torch.from_numpy(rng.random(count) < 0.5)[self.rank :: self.world_size]
        images, boxes = hflip(images, boxes, to_device(flipped, images.device))
        if self.config.rotate:
            images, boxes = rot90(images, boxes, int(rng.integers(4)))
        # On the images' device: noise sampled on the CPU would keep a GPU waiting.
        return images, boxes, random.generator(images.device, offset=self.rank)

    def _count(self, side: int) -> int:
        """The number of faces in a step of all processes at an input size."""
        count = round(self.config.batch * (self.config.sizes[0].side / side) ** 2)
        return max(self.world_size, count - count % self.world_size)

    def _input_side(self, progress: float, rng: np.random.Generator) -> int:
        sizes = self.config.sizes
        weights = np.array([size.weight * (size.start <= progress < size.end) for size in sizes])
        return sizes[int(rng.choice(len(weights), p=weights / weights.sum()))].side

    def _crop(self, rng: np.random.Generator) -> float:
        """The fraction of each image's side that is kept, around its centre; one for all of a step."""
        least = self.config.min_crop
        return 1.0 - (1.0 - least) * int(rng.integers(CROP_LEVELS + 1)) / CROP_LEVELS if least < 1 else 1.0


def hflip(images: Tensor, boxes: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
    """Flip images (B, 3, H, W) and their boxes (B, 4) left to right where `which` (B,) is true."""
    width = images.shape[-1]
    flipped = torch.where(which[:, None, None, None], images.flip(-1), images)
    x1, y1, x2, y2 = boxes.unbind(1)
    flipped_boxes = torch.stack([width - x2, y1, width - x1, y2], dim=1)
    return flipped, torch.where(which[:, None], flipped_boxes, boxes)


def rot90(images: Tensor, boxes: Tensor, quarters: int) -> tuple[Tensor, Tensor]:
    """Rotate square images (B, 3, H, H) and their boxes (B, 4) by `quarters` x 90°, counter-clockwise."""
    side = images.shape[-1]
    for _ in range(quarters):
        images = images.rot90(1, dims=(-2, -1))
        x1, y1, x2, y2 = boxes.unbind(1)
        boxes = torch.stack([y1, side - x2, y2, side - x1], dim=1)
    return images, boxes

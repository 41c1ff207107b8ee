"""What the loop needs besides the network: the rate's course, averaged weights, the draw of data."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from lumiface.data.faces import FaceSet
from lumiface.engine.config import RunConfig, TrainConfig


def learning_rate(step: int, config: RunConfig, progress: float = 0.0) -> float:
    """The rate at `step` (from 0): linear rise; then a cosine to 1 %, halvings at 50, 75, 90 %, or level.

    Args:
        progress: how much of the run is over, 0 to 1; asked of runs by the clock alone.
    """
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    if config.schedule == "constant":
        return config.lr
    if config.minutes is None:
        progress = (step - config.warmup) / (config.steps - config.warmup)
    if config.schedule == "milestones":
        return config.lr * 0.5 ** sum(progress >= point for point in (0.5, 0.75, 0.9))
    return config.lr * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0))))


class AveragedWeights:
    """Exponential moving average of a network's weights; it is what is validated and shipped.

    The decay rises from 0.1 to its final value, so that the random start is soon forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {key: value.detach().clone() for key, value in network.state_dict().items()}

    @torch.no_grad()
    def load(self, weights: dict[str, Tensor]) -> None:
        """Go on from stored weights. Copied in place: another memory layout would take other kernels, whose
        results differ in the last bit."""
        for key, value in self.weights.items():
            value.copy_(weights[key])

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        decay = min(self.decay, (1.0 + step) / (10.0 + step))
        averages: list[Tensor] = []
        values: list[Tensor] = []
        for key, value in network.state_dict().items():
            average = self.weights[key]
            if average.is_floating_point():
                averages.append(average)
                values.append(value)
            else:
                average.copy_(value)
        average_all: Any = get_ema_multi_avg_fn(decay)
        average_all(averages, values, step)  # in one call, not one for each tensor


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
        shares = np.array([size.share * (size.since <= progress < size.until) for size in self.config.sizes])
        side = self.config.sizes[int(rng.choice(len(shares), p=shares / shares.sum()))].side
        count = round(self.config.batch * (self.config.sizes[0].side / side) ** 2)
        count = max(self.world, count - count % self.world)
        indices = rng.choice(self.faces.count(side * self.scale), count, replace=False)
        # One share a step, in eighths of what may be cut off: few sizes are few sets of resampling weights.
        share = 1.0 - (1.0 - self.config.zoom) * int(rng.integers(9)) / 8 if self.config.zoom < 1 else 1.0
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

"""How well a lifter rebuilds faces that it has never seen: their pictures, and their relief."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lumiface.data.training.view_set import ViewSet
from lumiface.degradations.resample import resize
from lumiface.evaluation.bootstrap import mean_interval
from lumiface.geometry.camera import yaw_camera
from lumiface.metrics.depth import depth_correlation
from lumiface.metrics.lpips import LPIPS
from lumiface.metrics.psnr import psnr_rgb

YAWS = (-25.0, -12.5, 0.0, 12.5, 25.0)
"""Degrees to each side from which faces are shown; 0 is the photograph's own camera."""


@dataclass(slots=True)
class LifterScores:
    """Scores picture by picture, (N,) each.

    Attributes:
        psnr_rgb: of the rendering from the photograph's own camera, dB.
        lpips_squeeze: the same, LPIPS v0.1 on SqueezeNet.
        depth: correlation with the depth of the points' mesh inside the face.
    """

    psnr_rgb: list[float] = field(default_factory=list)
    lpips_squeeze: list[float] = field(default_factory=list)
    depth: list[float] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Means with their 95 % intervals, and the share of faces with a correlation of 0.95."""
        told: dict[str, Any] = {"images": len(self.psnr_rgb)}
        for name in ("psnr_rgb", "lpips_squeeze", "depth"):
            values = np.array(getattr(self, name), dtype=np.float64)
            key = "depth_correlation" if name == "depth" else name
            told |= {key: float(values.mean()), f"{key}_ci": list(mean_interval(values))}
        told["depth_correlation_least"] = min(self.depth)
        told["depth_correlation_95"] = float(np.mean(np.array(self.depth) >= 0.95))
        return told


@torch.inference_mode()
def measure_lifter(lifter: Any, views: ViewSet, side: int, perceptual: LPIPS) -> LifterScores:
    """Lift each face, render it from its own camera at `side` pixels, and compare."""
    scores = LifterScores()
    for index in range(len(views)):
        one = views.batch([index], side)
        target = resize(one.pictures, (side, side)).clamp(0.0, 1.0)
        seen = lifter.render(lifter(one.pictures, one.cameras), one.cameras, side)
        colour = seen.colour.clamp(0.0, 1.0)
        scores.psnr_rgb.append(float(psnr_rgb(colour, target)))
        scores.lpips_squeeze.append(float(perceptual(colour, target)))
        scores.depth.append(float(depth_correlation(seen.depth[:, 0], one.depth[:, 0], one.mask[:, 0])))
    return scores


@torch.inference_mode()
def turned_views(lifter: Any, views: ViewSet, indices: list[int], side: int) -> Tensor:
    """Photographs, then their renderings from `YAWS`, then their depth: (n·(2 + len(YAWS)), 3, side, side).

    Depth is shown from near (white) to far (black), over the box that the tri-plane spans.
    """
    rows: list[Tensor] = []
    for index in indices:
        one = views.batch([index], None)
        planes = lifter(one.pictures, one.cameras)
        rows.append(resize(one.pictures, (side, side)).clamp(0.0, 1.0))
        for yaw in YAWS:
            seen = lifter.render(planes, yaw_camera(one.cameras, yaw), side)
            rows.append(seen.colour.clamp(0.0, 1.0))
        own = lifter.render(planes, one.cameras, side).depth
        far, near = own.amax(), own.amin()
        rows.append(((far - own) / (far - near).clamp_min(1e-6)).expand(-1, 3, -1, -1))
    return torch.cat(rows)

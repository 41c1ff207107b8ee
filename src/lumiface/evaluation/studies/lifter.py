"""How well a lifter reconstructs unseen faces: the rendered image, and the depth."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from lumiface.data.training.view_set import ViewSet
from lumiface.degradations.resample import resize
from lumiface.evaluation.accumulate import ScoreAccumulator
from lumiface.geometry.camera import yaw_camera
from lumiface.metrics.depth import depth_correlation
from lumiface.metrics.lpips import LPIPS
from lumiface.metrics.psnr import psnr_rgb

YAWS = (-25.0, -12.5, 0.0, 12.5, 25.0)
"""Yaw in degrees of the cameras of `render_views`; 0 is the photograph's own camera."""


@torch.inference_mode()
def measure_lifter(lifter: Any, views: ViewSet, side: int, perceptual: LPIPS) -> ScoreAccumulator:
    """Lift each face, render it from its own camera at `side` pixels, and compare.

    Returns:
        Per face `psnr_rgb` (dB) and `lpips_squeeze` of the rendering, and `depth_correlation` with the
        landmarks' mesh inside the face.
    """
    scores = ScoreAccumulator()
    for index in range(len(views)):
        view = views.batch([index], side)
        target = resize(view.pictures, (side, side)).clamp(0.0, 1.0)
        rendering = lifter.render(lifter(view.pictures, view.cameras), view.cameras, side)
        colour = rendering.colour.clamp(0.0, 1.0)
        depth = depth_correlation(rendering.depth[:, 0], view.depth[:, 0], view.mask[:, 0])
        psnr, lpips = psnr_rgb(colour, target), perceptual(colour, target)
        scores.add({"psnr_rgb": psnr, "lpips_squeeze": lpips, "depth_correlation": depth})
    return scores


def lifter_row(scores: ScoreAccumulator) -> dict[str, Any]:
    """Means with their 95 % intervals, the smallest depth correlation, and the fraction of 0.95 or more."""
    row: dict[str, Any] = {"images": len(scores.values("psnr_rgb"))}
    row |= {key: value for key, value in scores.as_dict().items() if not key.endswith("_images")}
    depth = scores.values("depth_correlation")
    row["depth_correlation_least"] = float(depth.min())
    row["depth_correlation_95"] = float(np.mean(depth >= 0.95))
    return row


@torch.inference_mode()
def render_views(lifter: Any, views: ViewSet, indices: list[int], side: int) -> Tensor:
    """Photographs, then their renderings from `YAWS`, then their depth: (n·(2 + len(YAWS)), 3, side, side).

    Depth is shown from near (white) to far (black), over the box that the tri-plane spans.
    """
    rows: list[Tensor] = []
    for index in indices:
        view = views.batch([index], None)
        planes = lifter(view.pictures, view.cameras)
        rows.append(resize(view.pictures, (side, side)).clamp(0.0, 1.0))
        for yaw in YAWS:
            rendering = lifter.render(planes, yaw_camera(view.cameras, yaw), side)
            rows.append(rendering.colour.clamp(0.0, 1.0))
        depth = lifter.render(planes, view.cameras, side).depth
        far, near = depth.amax(), depth.amin()
        rows.append(((far - depth) / (far - near).clamp_min(1e-6)).expand(-1, 3, -1, -1))
    return torch.cat(rows)

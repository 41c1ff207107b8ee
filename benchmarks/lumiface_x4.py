"""Why `lumiface-x4` is as it is: where LFSRNet's error lies, and what each part of the network gains.

    python benchmarks/lumiface_x4.py told --data-root DATA --json benchmarks/results/lumiface_x4.json
    python benchmarks/lumiface_x4.py ablation --data-root DATA --json benchmarks/results/lumiface_x4.json
    python benchmarks/lumiface_x4.py further --data-root DATA --json benchmarks/results/lumiface_x4.json

told: the 100 validation faces of the LLF benchmark, had somebody told the network what it lacks.
ablation: each variant trained for 300 steps into `runs/x4-ablation`, twice.
further: networks that ship, trained on in two ways each: without LPIPS or with it, for all sizes or for one.
A run that was stopped goes on; one that is done is not trained again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sections import measured_here, run_section
from sections import told as tell
from torch import Tensor

from lumiface.data.benchmarks.llf import LLFSettings, llf_pairs
from lumiface.data.sources import open_source
from lumiface.data.training.face_set import FaceSet, load_faces
from lumiface.degradations.camera_pipeline import CAMERA
from lumiface.evaluation.bootstrap import mean_interval
from lumiface.evaluation.cost import measure_cost
from lumiface.evaluation.studies.joint import measure_joint
from lumiface.imaging.quantize import from_uint8, quantize
from lumiface.metrics import psnr_y
from lumiface.registry import build, load_model
from lumiface.training.config import TrainConfig
from lumiface.training.launch import start_fabric
from lumiface.training.read_config import find_config, read_config
from lumiface.training.task import NO_LIMITS, Limits
from lumiface.training.tasks.paired import train

RUNS = Path("runs/x4-ablation")
SEEDS = (0, 1)
ALIKE: dict[str, Any] = {
    "steps": 300, "warmup": 30, "lr": 1e-3, "ema": 0.98, "precision": "bf16-mixed",
    "sizes": [{"side": 32, "weight": 1.0}], "validate_every": 300, "save_every": 300,
}  # fmt: skip
SIXTY_FOUR = [{"side": 64, "weight": 1.0}]
VARIANTS: dict[str, dict[str, Any]] = {
    "lumiface-x4": {},
    "light not apart": {"network": {"illumination_head": False}},
    "without log_mse": {"recipe": {"log_mse": 0.0}},
    "log_mse 0.02": {"recipe": {"log_mse": 0.02}},
    "log_mse 0.2": {"recipe": {"log_mse": 0.2}},
    "without spectra": {"recipe": {"fft": 0.0}},
    "spectra 0.2": {"recipe": {"fft": 0.2}},
    "charbonnier for l1": {"recipe": {"l1": 0.0, "charbonnier": 1.0}},
    "lr 0.0005": {"lr": 5e-4},
    "lr 0.002": {"lr": 2e-3},
    "without warm-up": {"warmup": 0},
    "small faces first": {
        "sizes": [{"side": 32, "weight": 1.0, "start": 0.5}, {"side": 16, "weight": 1.0, "end": 0.5}]
    },
    "averaged weights 0.9": {"ema": 0.9},
    "without averaged weights": {"ema": 0.0},
    "a fourth level": {"network": {"widths": [48, 96, 192, 256]}},
    "a deeper middle": {"network": {"bottleneck": 4, "head_channels": [24, 12]}},
    "lfsrnet-base": {"method": "lfsrnet-base", "recipe": {"log_mse": 0.0}},
    "lfsrnet-base, log_mse": {"method": "lfsrnet-base"},
    "lfsrnet-lite, log_mse": {"method": "lfsrnet-lite"},
    "lfsrnet-lite, log_mse, taught 0.5": {"method": "lfsrnet-lite", "teacher": "lumiface-x4", "taught": 0.5},
    "lfsrnet-lite, log_mse, taught 2": {"method": "lfsrnet-lite", "teacher": "lumiface-x4", "taught": 2.0},
}
ON: dict[str, Any] = {"lr": 3e-4, "warmup": 50, "ema": 0.98, "validate_every": 1000, "save_every": 250}
FURTHER: dict[str, dict[str, tuple[str, str, dict[str, Any]]]] = {
    "LPIPS": {
        "0": ("lumiface-x4-real", "lumiface-x4", {"steps": 400, "lpips": 0.0}),
        "0.1": ("lumiface-x4-real", "lumiface-x4", {"steps": 400}),
    },
    "sizes": {
        "all": ("lfsrnet-base-finetune", "lfsrnet-base", {"steps": 400}),
        "64 px alone": (
            "lfsrnet-base-finetune",
            "lfsrnet-base",
            {"steps": 400, "batch": 2, "sizes": SIXTY_FOUR},
        ),
    },
}
"""By question and answer: configuration, what it starts from, and what is changed."""


@torch.inference_mode()
def told(given: argparse.Namespace) -> dict[str, Any]:
    """PSNR-Y of the network's pictures, corrected by what only the truth tells."""
    network = load_model(given.models[0])
    source = open_source(Path(given.data_root) / "faces256-val.tar")
    ways: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "nothing": lambda output, _: output,
        "a factor and an offset a colour": affine,
        "a curve a colour": curve,
        "the mean colour of each of 4 x 4 tiles": tiles,
    }
    scores: dict[str, list[float]] = {way: [] for way in ways}
    for pair in llf_pairs(
        source.first(given.limit or len(source)), LLFSettings(hr_size=128, scale=4, seed=0)
    ):
        low, high = from_uint8(pair.lr.copy()), from_uint8(pair.hr.copy())
        output = network(low).clamp(0.0, 1.0)
        for way, correct in ways.items():
            scores[way].append(float(psnr_y(quantize(correct(output, high)), high)))
    rows = [
        {"told": way, "psnr_y": float(np.mean(values)), "psnr_y_ci": list(mean_interval(np.array(values)))}
        for way, values in scores.items()
    ]
    for row in rows:
        print(row)
    return {"model": given.models[0], "origin": measured_here(), "rows": rows}


def affine(output: Tensor, high: Tensor) -> Tensor:
    """The factor and offset of each colour that bring it nearest to the truth."""
    x, y = output.flatten(2), high.flatten(2)
    spread = x - x.mean(dim=2, keepdim=True)
    factor = (spread * y).sum(dim=2, keepdim=True) / spread.square().sum(dim=2, keepdim=True)
    return (factor * spread + y.mean(dim=2, keepdim=True)).view_as(output)


def curve(output: Tensor, high: Tensor) -> Tensor:
    """Each of 32 tones of each colour becomes the truth's mean there."""
    corrected = torch.empty_like(output)
    for colour in range(3):
        tone = (output[0, colour] * 31).round().long().flatten()
        total = torch.zeros(32).index_add_(0, tone, high[0, colour].flatten())
        mean = total / torch.bincount(tone, minlength=32).clamp(min=1)
        offset = mean[tone].view_as(output[0, colour]) - tone.view_as(output[0, colour]) / 31
        corrected[0, colour] = output[0, colour] + offset
    return corrected


def tiles(output: Tensor, high: Tensor) -> Tensor:
    """What 4 x 4 tiles lack on average is added, smoothly."""
    lacking = F.adaptive_avg_pool2d(high - output, 4)
    return output + F.interpolate(lacking, size=output.shape[-2:], mode="bicubic", align_corners=False)


def ablation(given: argparse.Namespace) -> dict[str, Any]:
    """A row a variant: its cost, and its PSNR-Y on the validation faces after equal training."""
    rows: list[dict[str, Any]] = []
    faces = _faces(given.data_root)
    for name, changes in VARIANTS.items():
        reached: list[float] = []
        for seed in SEEDS:
            changed = ALIKE | changes | {"seed": seed}
            changed["recipe"] = {"log_mse": 0.05} | changes.get("recipe", {})
            folder = RUNS / f"{name.replace(' ', '-')}-{seed}"
            reached.append(_train("lumiface-x4", changed, folder, given.data_root, faces))
        network = build(changes.get("method", "lumiface-x4"), changes.get("network"))
        cost = measure_cost(network, 32)
        row = {"params": cost.params, "gflops": cost.gflops, "by_seed": reached}
        rows.append({"variant": name, "psnr_y": float(np.mean(reached)), **row})
        print(rows[-1], flush=True)
    return {"alike": ALIKE, "seeds": SEEDS, "origin": measured_here(), "rows": rows}


def further(given: argparse.Namespace) -> dict[str, Any]:
    """A row an answer and a kind of validation pairs: all scores, and how they differ from the first."""
    rows: list[dict[str, Any]] = []
    faces = _faces(given.data_root)
    source = open_source(Path(given.data_root) / "faces256-val.tar")
    source = source.first(given.limit or len(source))
    for question, answers in FURTHER.items():
        networks: dict[str, torch.nn.Module] = {}
        for answer, (config, init_from, changes) in answers.items():
            folder = RUNS / f"{question}-{answer}".replace(" ", "-")
            _train(config, ON | changes, folder, given.data_root, faces, Limits(init_from=init_from))
            networks[answer] = load_model(folder / "last.safetensors")
        for pairs, hr_size, camera in (("LLF", 128, None), ("LLF", 256, None), ("camera", 256, CAMERA)):
            columns, _ = measure_joint(networks, source, tell, hr_size, camera)
            first = next(iter(columns.values()))
            for answer, column in columns.items():
                scores = column.as_dict(None if column is first else first)
                rows.append({question: answer, "pairs": pairs, "hr_size": hr_size, **scores})
                print(rows[-1], flush=True)
    return {"alike": ON, "ways": FURTHER, "origin": measured_here(), "rows": rows}


def _faces(data_root: str) -> FaceSet:
    """What all runs here are trained on, decoded once."""
    return load_faces([source.format(data=data_root) for source in _config("lumiface-x4", {}).train])


def _train(
    name: str,
    changes: dict[str, Any],
    folder: Path,
    data_root: str,
    faces: FaceSet,
    limits: Limits = NO_LIMITS,
) -> float:
    """The best PSNR-Y in validation of a run, trained or taken up."""
    config = _config(name, changes)
    fabric = start_fabric(accelerator="cpu", precision=config.precision)
    return train(config, folder, fabric, data_root=data_root, limits=limits, faces=faces).best


def _config(name: str, changes: dict[str, Any]) -> TrainConfig:
    config = read_config(find_config(name), changes)
    if not isinstance(config, TrainConfig):
        raise TypeError(f"{name} trains no method")
    return config


if __name__ == "__main__":
    run_section(
        __doc__,
        {"told": told, "ablation": ablation, "further": further},
        {"told": ["lfsrnet-base"], "ablation": [], "further": []},
    )

"""The design of `lumiface-x4`: the sources of LFSRNet's error, and the gain of each part of the network.

    python benchmarks/lumiface_x4.py oracle --data-root DATA --json benchmarks/results/lumiface_x4.json
    python benchmarks/lumiface_x4.py ablation --data-root DATA --json benchmarks/results/lumiface_x4.json
    python benchmarks/lumiface_x4.py finetune --data-root DATA --json benchmarks/results/lumiface_x4.json

oracle: PSNR on the 100 validation faces of the LLF benchmark, after ground-truth corrections of the outputs.
ablation: each variant trained for 300 steps in `runs/x4-ablation`, with two seeds.
finetune: shipped networks fine-tuned with two settings each: without or with LPIPS, for all sizes or for one.
Stopped runs resume; finished ones are not trained again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sections import current_provenance, report_progress, run_section
from torch import Tensor

from lumiface.core.settings import find_config
from lumiface.data.benchmarks.llf import LLFSettings, llf_pairs
from lumiface.data.sources import open_source
from lumiface.data.training.face_set import FaceSet, load_faces
from lumiface.degradations.camera_pipeline import CAMERA
from lumiface.evaluation.accumulate import ScoreAccumulator
from lumiface.evaluation.cost import measure_cost
from lumiface.evaluation.studies.joint import measure_joint
from lumiface.imaging.quantize import from_uint8, quantize
from lumiface.metrics import psnr_y
from lumiface.registry import build, load_model
from lumiface.training.config import TrainConfig
from lumiface.training.launch import start_fabric
from lumiface.training.read_config import read_config
from lumiface.training.run import train
from lumiface.training.task import NO_LIMITS, Limits

RUNS = Path("runs/x4-ablation")
SEEDS = (0, 1)
COMMON: dict[str, Any] = {
    "steps": 300, "warmup": 30, "lr": 1e-3, "ema": 0.98, "precision": "bf16-mixed",
    "sizes": [{"side": 32, "weight": 1.0}], "validate_every": 300, "save_every": 300,
}  # fmt: skip
DISTILL = {"teacher": "lumiface-x4"}
SIXTY_FOUR = [{"side": 64, "weight": 1.0}]
VARIANTS: dict[str, dict[str, Any]] = {
    "lumiface-x4": {},
    "without illumination head": {"network": {"illumination_head": False}},
    "without log_mse": {"recipe": {"log_mse": 0.0}},
    "log_mse 0.02": {"recipe": {"log_mse": 0.02}},
    "log_mse 0.2": {"recipe": {"log_mse": 0.2}},
    "without spectral loss": {"recipe": {"fft": 0.0}},
    "spectral loss 0.2": {"recipe": {"fft": 0.2}},
    "Charbonnier instead of L1": {"recipe": {"l1": 0.0, "charbonnier": 1.0}},
    "lr 0.0005": {"lr": 5e-4},
    "lr 0.002": {"lr": 2e-3},
    "without warm-up": {"warmup": 0},
    "small faces first (16 px, then 32 px)": {
        "sizes": [{"side": 32, "weight": 1.0, "start": 0.5}, {"side": 16, "weight": 1.0, "end": 0.5}]
    },
    "EMA decay 0.9": {"ema": 0.9},
    "without EMA": {"ema": 0.0},
    "four levels instead of three": {"network": {"widths": [48, 96, 192, 256]}},
    "bottleneck of 4 blocks, head of 24 and 12 channels": {
        "network": {"bottleneck": 4, "head_channels": [24, 12]}
    },
    "lfsrnet-base": {"method": "lfsrnet-base", "recipe": {"log_mse": 0.0}},
    "lfsrnet-base, log_mse": {"method": "lfsrnet-base"},
    "lfsrnet-lite, log_mse": {"method": "lfsrnet-lite"},
    "lfsrnet-lite, log_mse, distill_weight 0.5": {"method": "lfsrnet-lite", **DISTILL, "distill_weight": 0.5},
    "lfsrnet-lite, log_mse, distill_weight 2": {"method": "lfsrnet-lite", **DISTILL, "distill_weight": 2.0},
}
FINETUNE: dict[str, Any] = {"lr": 3e-4, "warmup": 50, "ema": 0.98, "validate_every": 1000, "save_every": 250}
FOLLOW_UPS: dict[str, dict[str, tuple[str, str, dict[str, Any]]]] = {
    "LPIPS": {
        "0": ("lumiface-x4-real", "lumiface-x4", {"steps": 400, "lpips": 0.0}),
        "0.1": ("lumiface-x4-real", "lumiface-x4", {"steps": 400}),
    },
    "sizes": {
        "all": ("lfsrnet-base-finetune", "lfsrnet-base", {"steps": 400}),
        "64 px only": (
            "lfsrnet-base-finetune",
            "lfsrnet-base",
            {"steps": 400, "batch": 2, "sizes": SIXTY_FOUR},
        ),
    },
}
"""Setting -> its values -> configuration, initial weights, and changed settings."""


@torch.inference_mode()
def oracle_corrections(args: argparse.Namespace) -> dict[str, Any]:
    """PSNR-Y of the network's outputs after corrections that use the ground truth."""
    network = load_model(args.models[0])
    source = open_source(Path(args.data_root) / "faces256-val.tar")
    source = source.first(args.limit or len(source))
    corrections: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "none": lambda output, _: output,
        "per-channel gain and offset": correct_gain_and_offset,
        "per-channel tone curve": correct_tone_curve,
        "mean colour of each of 4 × 4 tiles": correct_tiles,
    }
    scores = {name: ScoreAccumulator() for name in corrections}
    for pair in llf_pairs(source, LLFSettings(hr_size=128, scale=4, seed=0)):
        inputs, target = from_uint8(pair.lr.copy()), from_uint8(pair.hr.copy())
        output = network(inputs).clamp(0.0, 1.0)
        for name, correct in corrections.items():
            scores[name].add({"psnr_y": psnr_y(quantize(correct(output, target)), target)})
    rows: list[dict[str, Any]] = []
    for name, found in scores.items():
        score = found.score("psnr_y")
        rows.append({"correction": name, "psnr_y": score.value, "psnr_y_ci": score.interval})
        print(rows[-1])
    return {"model": args.models[0], "origin": current_provenance(), "rows": rows}


def correct_gain_and_offset(output: Tensor, target: Tensor) -> Tensor:
    """The gain and offset of each channel with the least squared error to the target."""
    x, y = output.flatten(2), target.flatten(2)
    centred = x - x.mean(dim=2, keepdim=True)
    gain = (centred * y).sum(dim=2, keepdim=True) / centred.square().sum(dim=2, keepdim=True)
    return (gain * centred + y.mean(dim=2, keepdim=True)).view_as(output)


def correct_tone_curve(output: Tensor, target: Tensor) -> Tensor:
    """Each of 32 tones of each channel is shifted to the target's mean at these pixels."""
    corrected = torch.empty_like(output)
    for channel in range(3):
        tone = (output[0, channel] * 31).round().long().flatten()
        total = torch.zeros(32).index_add_(0, tone, target[0, channel].flatten())
        mean = total / torch.bincount(tone, minlength=32).clamp(min=1)
        offset = mean[tone].view_as(output[0, channel]) - tone.view_as(output[0, channel]) / 31
        corrected[0, channel] = output[0, channel] + offset
    return corrected


def correct_tiles(output: Tensor, target: Tensor) -> Tensor:
    """The mean error of each of 4 x 4 tiles is added, interpolated smoothly."""
    error = F.adaptive_avg_pool2d(target - output, 4)
    return output + F.interpolate(error, size=output.shape[-2:], mode="bicubic", align_corners=False)


def ablation(args: argparse.Namespace) -> dict[str, Any]:
    """A row per variant: its cost, and its PSNR-Y on the validation faces after equal training."""
    rows: list[dict[str, Any]] = []
    faces = _load_training_faces(args.data_root)
    for name, changes in VARIANTS.items():
        by_seed: list[float] = []
        for seed in SEEDS:
            settings = COMMON | changes | {"seed": seed}
            settings["recipe"] = {"log_mse": 0.05} | changes.get("recipe", {})
            folder = RUNS / f"{name.replace(' ', '-')}-{seed}"
            by_seed.append(_train("lumiface-x4", settings, folder, args.data_root, faces))
        network = build(changes.get("method", "lumiface-x4"), changes.get("network"))
        cost = measure_cost(network, 32)
        row = {"params": cost.params, "gflops": cost.gflops, "by_seed": by_seed}
        rows.append({"variant": name, "psnr_y": float(np.mean(by_seed)), **row})
        print(rows[-1], flush=True)
    return {"common": COMMON, "seeds": SEEDS, "origin": current_provenance(), "rows": rows}


def finetune(args: argparse.Namespace) -> dict[str, Any]:
    """A row per setting and kind of validation pairs: scores, and the differences from the first value."""
    rows: list[dict[str, Any]] = []
    faces = _load_training_faces(args.data_root)
    source = open_source(Path(args.data_root) / "faces256-val.tar")
    source = source.first(args.limit or len(source))
    for setting, values in FOLLOW_UPS.items():
        networks: dict[str, torch.nn.Module] = {}
        for value, (config, init_from, changes) in values.items():
            folder = RUNS / f"{setting}-{value}".replace(" ", "-")
            _train(config, FINETUNE | changes, folder, args.data_root, faces, Limits(init_from=init_from))
            networks[value] = load_model(folder / "last.safetensors")
        for pairs, hr_size, camera in (("LLF", 128, None), ("LLF", 256, None), ("camera", 256, CAMERA)):
            scores, _ = measure_joint(networks, source, report_progress, hr_size, camera)
            first = next(iter(scores.values()))
            for value, found in scores.items():
                row = found.as_dict(None if found is first else first)
                rows.append({setting: value, "pairs": pairs, "hr_size": hr_size, **row})
                print(rows[-1], flush=True)
    return {"common": FINETUNE, "follow_ups": FOLLOW_UPS, "origin": current_provenance(), "rows": rows}


def _load_training_faces(data_root: str) -> FaceSet:
    """The training faces of all runs, decoded once."""
    return load_faces([source.format(data=data_root) for source in _read("lumiface-x4", {}).train])


def _train(
    name: str,
    changes: dict[str, Any],
    folder: Path,
    data_root: str,
    faces: FaceSet,
    limits: Limits = NO_LIMITS,
) -> float:
    """The best validation PSNR-Y of a run, which is trained or resumed."""
    config = _read(name, changes)
    fabric = start_fabric(accelerator="cpu", precision=config.precision)
    return train(config, folder, fabric, data_root=data_root, limits=limits, faces=faces).best


def _read(name: str, changes: dict[str, Any]) -> TrainConfig:
    config = read_config(find_config(name), changes)
    if not isinstance(config, TrainConfig):
        raise TypeError(f"{name} does not train a method")
    return config


if __name__ == "__main__":
    run_section(
        __doc__,
        {"oracle": oracle_corrections, "ablation": ablation, "finetune": finetune},
        {"oracle": ["lfsrnet-base"], "ablation": [], "finetune": []},
    )

"""Whole photographs enlarged by lumiface-photo and bicubically, on pictures that no network was trained on.

    python benchmarks/photo.py --data-root DATA --json benchmarks/results/photo.json

Four pictures of scikit-image and six photographs (these reduced twice first, so that they are sharp) are
reduced by 4 or 2, kept so (`clean`) or given noise of 2 levels and JPEG 85 (`damaged`), and enlarged again.
Scores are means over squares of 128 px; brackets and differences from bicubic: 95 % intervals over squares.
Squares of one picture are alike, so the number of pictures that became better is counted, too. `grid` is the
residue of period 4 of `grid.py`, in 8-bit levels.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from grid import periodic_residue
from photo_tiles import TEST, TEST_PHOTOS, members, shipped
from PIL import Image
from sections import current_provenance
from torch import Tensor

from lumiface.core.files import write_bytes
from lumiface.degradations.resample import resize
from lumiface.evaluation.bootstrap import bootstrap_interval
from lumiface.imaging.quantize import from_uint8, quantize, to_samples
from lumiface.metrics.lpips import LPIPS
from lumiface.metrics.psnr import psnr_y
from lumiface.registry import list_models
from lumiface.restoration.background import enlarge_bicubic, enlarge_by_tiles, load_upscaler

SQUARE = 128
NOISE, QUALITY = 2.0, 85

Enlarge = Callable[[Tensor], Tensor]


def pictures(data_root: Path) -> list[Tensor]:
    """The test pictures, (1, 3, H, W), sides cut to multiples of `SQUARE`."""
    found = list(shipped(TEST))
    photos = members(data_root / "real-degraded.tar", np.random.default_rng(0), TEST_PHOTOS)
    found += [resize(photo, (photo.shape[-2] // 2, photo.shape[-1] // 2)).clamp(0.0, 1.0) for photo in photos]
    return [
        quantize(picture[..., : height // SQUARE * SQUARE, : width // SQUARE * SQUARE])
        for picture in found
        for height, width in [picture.shape[-2:]]
    ]


def reduce(picture: Tensor, scale: int, damaged: bool, seed: int) -> Tensor:
    """The small picture, on the 8-bit grid; JPEG by Pillow."""
    small = quantize(resize(picture, (picture.shape[-2] // scale, picture.shape[-1] // scale)))
    if not damaged:
        return small
    noise = torch.randn(small.shape, generator=torch.Generator().manual_seed(seed))
    file = io.BytesIO()
    pixels = to_samples((small + NOISE / 255.0 * noise)[0], np.uint8)
    Image.fromarray(pixels).save(file, "jpeg", quality=QUALITY)
    return from_uint8(np.asarray(Image.open(file)))


def squares(picture: Tensor) -> Tensor:
    """(1, 3, H, W) -> (N, 3, SQUARE, SQUARE)."""
    rows = picture[0].unflatten(-1, (-1, SQUARE)).unflatten(1, (-1, SQUARE))
    return rows.permute(1, 3, 0, 2, 4).flatten(0, 1)


def methods(models: list[str], scale: int) -> dict[str, Enlarge]:
    """Bicubic, and each network that enlarges at least by `scale`; larger ones are reduced."""
    found: dict[str, Enlarge] = {"bicubic": lambda low: enlarge_bicubic(low, scale)}
    for model in models:
        upscaler = load_upscaler(model)
        if upscaler.scale >= scale:
            found[model] = lambda low, upscaler=upscaler: enlarge_by_tiles(upscaler, low, scale)
    return found


def measure(enlarge: Enlarge, lows: list[Tensor], highs: list[Tensor], lpips: LPIPS) -> dict[str, Any]:
    """Scores of every square, and CPU seconds per megapixel of output (the machine may be shared)."""
    scores: dict[str, list[float]] = {"psnr_y": [], "lpips_squeeze": []}
    picture: list[int] = []
    outputs: list[Tensor] = []
    seconds = pixels = 0.0
    for number, (low, high) in enumerate(zip(lows, highs, strict=True)):
        start = time.process_time()
        output = quantize(enlarge(low))
        seconds += time.process_time() - start
        pixels += high.shape[-2] * high.shape[-1]
        pair = squares(output), squares(high)
        picture += [number] * len(pair[0])
        outputs.append(pair[0])
        scores["psnr_y"] += psnr_y(*pair).tolist()
        scores["lpips_squeeze"] += lpips(*pair).tolist()
    return {
        "scores": scores,
        "picture": picture,
        "grid": periodic_residue(torch.cat(outputs), 4),
        "seconds_per_megapixel": round(seconds / pixels * 1e6, 3),
    }


def summary(found: dict[str, Any], baseline: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {key: found[key] for key in ("seconds_per_megapixel", "grid")}
    for name, values in found["scores"].items():
        change = [new - old for new, old in zip(values, baseline["scores"][name], strict=True)]
        gain = np.bincount(found["picture"], np.array(change) * (1 if name == "psnr_y" else -1))
        row[name] = {
            "mean": float(np.mean(values)),
            "interval": bootstrap_interval(values, seed=0),
            "minus_bicubic": float(np.mean(change)),
            "minus_bicubic_interval": bootstrap_interval(change, seed=0),
            "pictures_better": int((gain > 0).sum()),
            "worst_square": float(min(change) if name == "psnr_y" else max(change)),
        }
    return row


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    shipped_models = [name for name in list_models() if name.startswith("lumiface-photo")]
    parser.add_argument("--models", nargs="+", default=shipped_models, help="names or files")
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--json", type=Path, help="file to be written")
    args = parser.parse_args()
    torch.set_num_threads(1)
    highs, lpips = pictures(args.data_root), LPIPS("squeeze")
    rows: list[dict[str, Any]] = []
    for scale in (4, 2):
        for condition in ("clean", "damaged"):
            lows = [reduce(high, scale, condition == "damaged", seed) for seed, high in enumerate(highs)]
            found = {
                name: measure(enlarge, lows, highs, lpips)
                for name, enlarge in methods(args.models, scale).items()
            }
            for name, result in found.items():
                row = {"scale": scale, "condition": condition, "method": name}
                rows.append(row | summary(result, found["bicubic"]))
                print(line(rows[-1]), flush=True)
    truth = torch.cat([squares(high) for high in highs])
    result = {
        "pictures": [*TEST, *TEST_PHOTOS],
        "squares": len(truth),
        "grid_of_truth": periodic_residue(truth, 4),
        "origin": current_provenance(),
        "rows": rows,
    }
    if args.json:
        write_bytes(args.json, (json.dumps(result, indent=1) + "\n").encode())


def line(row: dict[str, Any]) -> str:
    """One row in print."""
    text = f"x{row['scale']} {row['condition']:8} {row['method'][-40:]:40}"
    text += f" {row['seconds_per_megapixel']:6.2f} s/MP  grid {row['grid']:.3f}"
    for name, digits in (("psnr_y", 2), ("lpips_squeeze", 3)):
        score = row[name]
        low, high = score["minus_bicubic_interval"]
        text += f"  {name} {score['mean']:.{digits}f}"
        text += f" ({score['minus_bicubic']:+.{digits}f}, {low:+.{digits}f} to {high:+.{digits}f};"
        text += f" {score['pictures_better']} better)"
    return text


if __name__ == "__main__":
    main()

"""Does a network leave a grid? The period that windows and up-sampling would leave, measured in its outputs.

    python benchmarks/grid.py lfsrnet-lite --data faces256-london.tar

Outputs are high-passed (minus a 9 x 9 mean), then folded: all pixels that lie at the same place modulo the
period are averaged, over all pictures. What does not repeat cancels; a grid stays. Reported is the folded
pattern's standard deviation in 8-bit levels, for the output and for the true picture, which has no grid: what
is left there is the faces' common place in the frame.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

from lumiface.data.benchmarks.llf import LLFSettings, llf_pairs
from lumiface.data.sources import open_source
from lumiface.imaging.color import luma
from lumiface.imaging.filters import box_mean
from lumiface.imaging.quantize import from_uint8
from lumiface.registry import load_model

PERIODS = (2, 4, 8, 16, 32)


def folded(pictures: Tensor, period: int) -> float:
    """Standard deviation, in 8-bit levels, of what repeats with `period` pixels in (B, 3, H, W) pictures."""
    light = luma(pictures)
    detail = (light - box_mean(light, 4))[..., 8:-8, 8:-8]
    height, width = (side // period * period for side in detail.shape[-2:])
    tiles = detail[..., :height, :width].unflatten(-1, (-1, period)).unflatten(-3, (-1, period))
    return float(tiles.mean(dim=(0, 1, 2, 4)).std()) * 255.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--data", required=True)
    parser.add_argument("--hr-size", type=int, default=128)
    parser.add_argument("--limit", type=int, default=100)
    given = parser.parse_args()
    network = load_model(given.model)
    pairs = list(llf_pairs(open_source(given.data).first(given.limit), LLFSettings(hr_size=given.hr_size)))
    high = torch.cat([from_uint8(pair.hr) for pair in pairs])
    with torch.inference_mode():
        output = torch.cat([network(from_uint8(pair.lr)).clamp(0.0, 1.0) for pair in pairs])
    print(f"{given.model}, {len(pairs)} pictures, in 8-bit levels")
    for period in PERIODS:
        print(f"period {period:2d}: output {folded(output, period):.3f}   truth {folded(high, period):.3f}")


if __name__ == "__main__":
    main()

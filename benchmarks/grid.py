"""Grid artefacts of a network: periodic patterns in its outputs, with the periods of windows and upsampling.

    python benchmarks/grid.py lfsrnet-lite --data faces256-london.tar

Outputs are high-passed (minus a 9 x 9 mean), then folded: all pixels at the same position modulo the period
are averaged, over all pictures. Everything except a grid cancels. Reported is the standard deviation of the
folded pattern in 8-bit levels, for the output and for the ground truth, which has no grid: its residue is due
to the common position of the faces in the frame.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

from lumiface.data.benchmarks.llf import LLFSettings, llf_pairs
from lumiface.data.sources import PictureSource, open_source
from lumiface.imaging.color import luma
from lumiface.imaging.filters import box_mean
from lumiface.imaging.quantize import from_uint8
from lumiface.registry import load_model

PERIODS = (2, 4, 8, 16, 32)


def periodic_residue(pictures: Tensor, period: int) -> float:
    """Standard deviation, in 8-bit levels, of the pattern of `period` pixels in pictures (B, 3, H, W)."""
    grey = luma(pictures)
    detail = (grey - box_mean(grey, 4))[..., 8:-8, 8:-8]
    height, width = (side // period * period for side in detail.shape[-2:])
    tiles = detail[..., :height, :width].unflatten(-1, (-1, period)).unflatten(-3, (-1, period))
    return float(tiles.mean(dim=(0, 1, 2, 4)).std()) * 255.0


def grid_residues(model: str, source: PictureSource, hr_size: int) -> dict[int, tuple[float, float]]:
    """Period -> residue of a network's outputs and of the ground truth, 8-bit levels, on LLF, x4."""
    network = load_model(model)
    pairs = list(llf_pairs(source, LLFSettings(hr_size=hr_size)))
    target = torch.cat([from_uint8(pair.hr) for pair in pairs])
    with torch.inference_mode():
        output = torch.cat([network(from_uint8(pair.lr)).clamp(0.0, 1.0) for pair in pairs])
    return {
        period: (periodic_residue(output, period), periodic_residue(target, period)) for period in PERIODS
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--data", required=True)
    parser.add_argument("--hr-size", type=int, default=128)
    parser.add_argument("--limit", type=int, default=100)
    args = parser.parse_args()
    source = open_source(args.data).first(args.limit)
    print(f"{args.model}, {len(source)} pictures, in 8-bit levels")
    for period, residues in grid_residues(args.model, source, args.hr_size).items():
        print("period {:2d}: output {:.3f}   ground truth {:.3f}".format(period, *residues))


if __name__ == "__main__":
    main()

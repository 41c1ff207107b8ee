"""Quality metrics, one per file; each documents its range, colour space and crop.

The names are imported on first use, so that a metric imports only what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lumiface.imaging.quantize import quantize
    from lumiface.metrics.brisque import BRISQUE
    from lumiface.metrics.depth import depth_correlation
    from lumiface.metrics.frechet import FrechetDistance, frechet_distance
    from lumiface.metrics.identity import Identity, identity_similarity
    from lumiface.metrics.landmarks import LandmarkErrors, landmark_error, measure_landmark_error
    from lumiface.metrics.lpips import LPIPS
    from lumiface.metrics.niqe import NIQE
    from lumiface.metrics.pixels import crop_border
    from lumiface.metrics.psnr import psnr_rgb, psnr_y
    from lumiface.metrics.ssim import ssim_rgb, ssim_y

__all__ = [
    "BRISQUE",
    "LPIPS",
    "NIQE",
    "FrechetDistance",
    "Identity",
    "LandmarkErrors",
    "crop_border",
    "depth_correlation",
    "frechet_distance",
    "identity_similarity",
    "landmark_error",
    "measure_landmark_error",
    "psnr_rgb",
    "psnr_y",
    "quantize",
    "ssim_rgb",
    "ssim_y",
]

_MODULE_OF = {
    "BRISQUE": "brisque",
    "LPIPS": "lpips",
    "NIQE": "niqe",
    "FrechetDistance": "frechet",
    "Identity": "identity",
    "LandmarkErrors": "landmarks",
    "crop_border": "pixels",
    "depth_correlation": "depth",
    "frechet_distance": "frechet",
    "identity_similarity": "identity",
    "landmark_error": "landmarks",
    "measure_landmark_error": "landmarks",
    "psnr_rgb": "psnr",
    "psnr_y": "psnr",
    "quantize": "lumiface.imaging.quantize",
    "ssim_rgb": "ssim",
    "ssim_y": "ssim",
}


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = _MODULE_OF[name]
    return getattr(import_module(module if "." in module else f"{__name__}.{module}"), name)

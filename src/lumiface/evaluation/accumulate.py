"""Scores of one method over a set: gathered batch by batch, summed up once."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from lumiface.core.errors import AssetMissing
from lumiface.evaluation.bootstrap import bootstrap_interval
from lumiface.evaluation.metric_suite import LEAST_FACE
from lumiface.faces.detect import FaceDetector
from lumiface.metrics.landmarks import TargetFaces, find_target_faces, measure_landmark_error
from lumiface.metrics.lpips import LPIPS
from lumiface.metrics.psnr import psnr_y
from lumiface.metrics.ssim import ssim_y

RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Row:
    """One method's line of the table.

    Attributes:
        psnr_y: mean PSNR-Y, dB.
        psnr_y_ci: 95 % interval of that mean over the choice of pictures (bootstrap).
        ssim_y: mean SSIM-Y.
        lpips_squeeze: mean LPIPS with SqueezeNet; None where it cannot be measured here.
        landmark_px: mean landmark error, pixels of the bright picture; None where no face was found.
        images: how many pictures were scored.
        landmark_images: how many of them have a landmark error.
        no_face_in_target: pictures whose original has no face for the detector.
        no_face_in_output: pictures whose original has a face and whose output has none.
        ms_per_face: time of the method alone, milliseconds.
        params: trained numbers.
    """

    method: str
    psnr_y: float | None
    ssim_y: float | None
    lpips_squeeze: float | None
    landmark_px: float | None
    images: int
    psnr_y_ci: tuple[float, float] | None
    landmark_images: int
    no_face_in_target: int
    no_face_in_output: int
    ms_per_face: float
    params: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Scorer:
    """Measures outputs against originals; loads what that needs once.

    Attributes:
        notes: what cannot be measured here, and why.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.notes: list[str] = []
        self.detectors: dict[int, FaceDetector] = {}
        self.lpips: LPIPS | None = None
        try:
            self.lpips = LPIPS("squeeze").to(device)
        except AssetMissing as missing:
            self.notes.append(f"LPIPS is not measured: {missing}")

    def find_faces(self, target: Tensor) -> TargetFaces:
        """The faces of a batch of originals (B, 3, H, W), found once for all methods."""
        return find_target_faces(target, self._detector(min(target.shape[-2:])))

    def measure(self, output: Tensor, target: Tensor, faces: TargetFaces, tally: Tally) -> None:
        """Add a batch of 8-bit outputs and originals, (B, 3, H, W) each, to a method's tally."""
        tally.psnr_y.append(psnr_y(output, target).cpu())
        tally.ssim_y.append(ssim_y(output, target).cpu())
        if self.lpips is not None and min(target.shape[-2:]) >= 32:
            tally.lpips.append(self.lpips(output, target).cpu())
        moved = measure_landmark_error(output, faces, self._detector(min(target.shape[-2:])))
        tally.landmarks.append(moved.errors.cpu())
        tally.no_face_in_target += moved.no_face_in_target
        tally.no_face_in_output += moved.no_face_in_output

    def _detector(self, side: int) -> FaceDetector:
        if side not in self.detectors:
            detector = FaceDetector(min_face=max(12.0, LEAST_FACE * side))
            self.detectors[side] = detector.eval().to(self.device)
        return self.detectors[side]


@dataclass(slots=True)
class Tally:
    """What has been measured of one method so far."""

    psnr_y: list[Tensor] = field(default_factory=list[Tensor])
    ssim_y: list[Tensor] = field(default_factory=list[Tensor])
    lpips: list[Tensor] = field(default_factory=list[Tensor])
    landmarks: list[Tensor] = field(default_factory=list[Tensor])
    no_face_in_target: int = 0
    no_face_in_output: int = 0
    seconds: float = 0.0

    def per_image(self) -> dict[str, list[float | None]]:
        """Column -> one number a picture, in the order in which they were measured; None: not a number."""
        columns = {
            "psnr_y": self.psnr_y,
            "ssim_y": self.ssim_y,
            "lpips_squeeze": self.lpips,
            "landmark_px": self.landmarks,
        }
        return {
            name: [score if math.isfinite(score) else None for score in torch.cat(parts).double().tolist()]
            for name, parts in columns.items()
            if parts
        }

    def row(self, method: str, params: int, seed: int) -> Row:
        """The method's line; `seed` is that of the bootstrap."""
        psnr, landmarks = torch.cat(self.psnr_y), torch.cat(self.landmarks)
        measured = landmarks[~landmarks.isnan()]
        return Row(
            method=method,
            psnr_y=_mean(psnr),
            ssim_y=_mean(torch.cat(self.ssim_y)),
            lpips_squeeze=_mean(torch.cat(self.lpips)) if self.lpips else None,
            landmark_px=_mean(measured) if len(measured) else None,
            images=len(psnr),
            psnr_y_ci=bootstrap_interval(psnr.numpy(), seed),
            landmark_images=len(measured),
            no_face_in_target=self.no_face_in_target,
            no_face_in_output=self.no_face_in_output,
            ms_per_face=1000.0 * self.seconds / len(psnr),
            params=params,
        )


def _mean(values: Tensor) -> float | None:
    """None where the mean is infinite: an output equal to its original; JSON has no infinity."""
    mean = float(values.double().mean())
    return mean if math.isfinite(mean) else None

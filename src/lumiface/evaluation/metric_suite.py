"""The metrics: what each score means, and a suite that measures all that this machine has weights for."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from lumiface.core.errors import AssetMissing, InputError
from lumiface.faces.detectors.detect import FaceDetector
from lumiface.metrics.brisque import BRISQUE
from lumiface.metrics.frechet import FrechetDistance
from lumiface.metrics.identity import Identity, identity_similarity
from lumiface.metrics.landmarks import TargetFaces, find_target_faces, measure_landmark_error
from lumiface.metrics.lpips import LPIPS
from lumiface.metrics.niqe import NIQE
from lumiface.metrics.psnr import psnr_rgb, psnr_y
from lumiface.metrics.ssim import ssim_rgb, ssim_y

Kind = Literal["pair", "picture", "set"]

MIN_FACE = 0.3
"""Smallest face that the landmark detector searches for, as a fraction of the target's shorter side."""


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """Definition of a metric.

    Attributes:
        name: as in tables and files.
        kind: of an output and its target, of a single picture, or of two sets.
        min_size: shorter side in pixels below which it cannot be measured.
        better: which scores are.
        digits: decimals in tables.
        convention: unit, colour space, crop and model, for the files.
        may_be_nan_because: why it may be missing for images of sufficient size; empty: it is not.
    """

    name: str
    kind: Kind
    min_size: int
    better: Literal["higher", "lower"]
    digits: int
    convention: str
    may_be_nan_because: str = ""


_FACE = "without a face"
_FLAT = "flat"

_TABLE = (
    MetricSpec("psnr_y", "pair", 1, "higher", 3, "dB, Y of BT.601 in the limited range, peak 255, no crop"),
    MetricSpec("psnr_rgb", "pair", 1, "higher", 3, "dB, mean square over R, G and B together, no crop"),
    MetricSpec(
        "ssim_y", "pair", 11, "higher", 4, "Y as for psnr_y, Gaussian window 11x11, sigma 1.5, no crop"
    ),
    MetricSpec("ssim_rgb", "pair", 11, "higher", 4, "mean of the SSIM of R, G and B, window as for ssim_y"),
    MetricSpec("lpips_squeeze", "pair", 32, "lower", 4, "LPIPS v0.1, SqueezeNet 1.1, RGB; not with AlexNet"),
    MetricSpec(
        "landmark_px",
        "pair",
        40,
        "lower",
        3,
        "mean distance of MTCNN's five points of the largest face, in pixels, same box for output and "
        f"target; faces of {MIN_FACE} of the shorter side or more; pictures without a face are counted in "
        "no_face_in_target and no_face_in_output",
        may_be_nan_because=_FACE,
    ),
    MetricSpec(
        "identity_edgeface",
        "pair",
        40,
        "higher",
        4,
        "cosine of EdgeFace-XXS embeddings, both crops by the target's landmarks",
        may_be_nan_because=_FACE,
    ),
    MetricSpec(
        "identity_mobilefacenet",
        "pair",
        40,
        "higher",
        4,
        "cosine of MobileFaceNet embeddings, both crops by the target's landmarks; biased towards networks "
        "trained with it",
        may_be_nan_because=_FACE,
    ),
    MetricSpec(
        "niqe",
        "picture",
        192,
        "lower",
        3,
        "NIQE of 2013, its authors' pristine parameters, Y of BT.601 in the limited range, rounded, blocks "
        "of 96 pixels",
        may_be_nan_because=_FLAT,
    ),
    MetricSpec(
        "brisque",
        "picture",
        32,
        "lower",
        2,
        "BRISQUE of 2012, its authors' model, full-range luma, rounded; not MATLAB's function",
        may_be_nan_because=_FLAT,
    ),
    MetricSpec(
        "fd_squeezenet",
        "set",
        32,
        "lower",
        3,
        "Fréchet distance of the global means of SqueezeNet 1.1's features, pictures at their own size; not "
        "the FID; comparable only at equal sizes and numbers of pictures",
    ),
    MetricSpec(
        "fid",
        "set",
        32,
        "lower",
        3,
        "Fréchet Inception distance, torch-fidelity's Inception; comparable only at equal numbers of "
        "pictures",
    ),
)

METRICS = {metric.name: metric for metric in _TABLE}
"""In the order of tables."""


_PIXELWISE = {"psnr_y": psnr_y, "psnr_rgb": psnr_rgb, "ssim_y": ssim_y, "ssim_rgb": ssim_rgb}
_NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "lpips_squeeze": lambda: LPIPS("squeeze"),
    "identity_edgeface": lambda: Identity("edgeface"),
    "identity_mobilefacenet": lambda: Identity("mobilefacenet"),
    "niqe": NIQE,
    "brisque": BRISQUE,
    "fd_squeezenet": lambda: FrechetDistance("squeezenet"),
    "fid": lambda: FrechetDistance("inception"),
}


@dataclass(frozen=True, slots=True)
class BatchScores:
    """What one batch scored.

    Attributes:
        scores: metric -> (B,) float64 on the CPU; NaN where it cannot be measured: too small, flat, without a
            face.
        sums: `no_face_in_target`, images whose target has no face for the detector, and `no_face_in_output`,
            those whose target has a face and whose output has none.
    """

    scores: dict[str, Tensor]
    sums: dict[str, int]


class MetricSuite:
    """The metrics that this machine can measure, loaded once.

    Args:
        device: on which they are measured.
        with_reference: each image has a target.
        with_sets: there is a set to compare with; None: the targets, where there are some.
        only: these metrics.

    Attributes:
        names: of these metrics, in the order of tables.
        notes: one line for each that cannot be measured, with what to download.
    """

    def __init__(
        self,
        device: torch.device,
        *,
        with_reference: bool,
        with_sets: bool | None = None,
        only: Collection[str] | None = None,
    ) -> None:
        available: dict[Kind, bool] = {
            "picture": True,
            "pair": with_reference,
            "set": with_reference if with_sets is None else with_sets,
        }
        self.device = device
        self.names: list[str] = []
        self.notes: list[str] = []
        self._networks: dict[str, nn.Module] = {}
        self._detectors: dict[int, FaceDetector] = {}
        for name, metric in METRICS.items():
            if available[metric.kind] and (only is None or name in only):
                self._load(name)

    @torch.inference_mode()
    def measure(
        self, outputs: Tensor, targets: Tensor | None, faces: TargetFaces | None = None
    ) -> BatchScores:
        """All metrics of single images and pairs, of one batch.

        Args:
            outputs: (B, 3, H, W), RGB in [0, 1], as 8-bit files hold them; on the device.
            targets: likewise, or None.
            faces: what `find_faces` found in the targets, where they are compared with several outputs.
        """
        if targets is not None and faces is None:
            faces = self.find_faces(targets)
        scores: dict[str, Tensor] = {}
        sums = {"no_face_in_target": 0, "no_face_in_output": 0}
        for name in self.names:
            if METRICS[name].kind == "set":
                continue
            if min(outputs.shape[-2:]) < METRICS[name].min_size:
                scores[name] = torch.full((len(outputs),), torch.nan, dtype=torch.float64)
            elif targets is None or faces is None or METRICS[name].kind == "picture":
                scores[name] = self._networks[name](outputs).double().cpu()
            elif name == "landmark_px":
                found = measure_landmark_error(outputs, faces, self._detector(targets))
                scores[name] = found.errors.double().cpu()
                sums["no_face_in_target"] += found.no_face_in_target
                sums["no_face_in_output"] += found.no_face_in_output
            else:
                scores[name] = self._compare(name, outputs, targets, faces).double().cpu()
        return BatchScores(scores, sums)

    @torch.inference_mode()
    def features(self, images: Tensor) -> dict[str, Tensor]:
        """What the metrics of sets compare: name -> (B, D) on the CPU; empty for images below their size."""
        return {
            name: network.features(images).cpu()
            for name, network in self._networks.items()
            if isinstance(network, FrechetDistance) and min(images.shape[-2:]) >= METRICS[name].min_size
        }

    @torch.inference_mode()
    def find_faces(self, targets: Tensor) -> TargetFaces:
        """The largest face of each of the targets (B, 3, H, W); none in images that are too small for one."""
        if min(targets.shape[-2:]) < METRICS["landmark_px"].min_size:
            index = torch.zeros(0, dtype=torch.long, device=targets.device)
            return TargetFaces(targets.shape, index, targets.new_zeros(0, 4), targets.new_zeros(0, 5, 2))
        return find_target_faces(targets, self._detector(targets))

    def _load(self, name: str) -> None:
        if name in _NETWORKS:
            try:
                self._networks[name] = _NETWORKS[name]().to(self.device)
            except (AssetMissing, InputError) as fault:
                self.notes.append(f"{name} is not measured: {fault}")
                return
        self.names.append(name)

    def _compare(self, name: str, outputs: Tensor, targets: Tensor, faces: TargetFaces) -> Tensor:
        if name in _PIXELWISE:
            return _PIXELWISE[name](outputs, targets)
        network = self._networks[name]
        if isinstance(network, Identity):
            return identity_similarity(outputs, targets, faces, network)
        return network(outputs, targets)

    def _detector(self, targets: Tensor) -> FaceDetector:
        size = min(targets.shape[-2:])
        if size not in self._detectors:
            self._detectors[size] = FaceDetector(min_face=max(12.0, MIN_FACE * size)).eval().to(self.device)
        return self._detectors[size]

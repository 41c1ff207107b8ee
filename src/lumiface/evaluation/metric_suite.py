"""Everything that can be measured of pictures: what each number means, and what this machine can take."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from lumiface.core.errors import AssetMissing, InputError
from lumiface.faces.detect import FaceDetector
from lumiface.metrics.brisque import BRISQUE
from lumiface.metrics.frechet import FrechetDistance
from lumiface.metrics.identity import Identity, identity_similarity
from lumiface.metrics.landmarks import TargetFaces, find_target_faces, measure_landmark_error
from lumiface.metrics.lpips import LPIPS
from lumiface.metrics.niqe import NIQE
from lumiface.metrics.psnr import psnr_rgb, psnr_y
from lumiface.metrics.ssim import ssim_rgb, ssim_y

Needs = Literal["pair", "picture", "set"]

LEAST_FACE = 0.3
"""Of the side of the bright picture: the smallest face that the landmark detector looks for."""


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One number: it `needs` a pair of pictures, one picture or a set, of `least_side` pixels or more.

    `gap`: why it may lack even of large pictures.
    """

    name: str
    needs: Needs
    least_side: int
    better: Literal["higher", "lower"]
    digits: int
    convention: str
    gap: str = ""


_FACE = "without a face"
_FLAT = "flat"

_TABLE = (
    MetricSpec("psnr_y", "pair", 1, "higher", 3, "dB, Y of BT.601 in the limited range, peak 255, no crop"),
    MetricSpec("psnr_rgb", "pair", 1, "higher", 3, "dB, mean square over R, G and B together, no crop"),
    MetricSpec(
        "ssim_y", "pair", 11, "higher", 4, "Y as for psnr_y, Gaussian window 11x11, sigma 1.5, no crop"
    ),
    MetricSpec("ssim_rgb", "pair", 11, "higher", 4, "mean of the SSIM of R, G and B, window as for ssim_y"),
    MetricSpec(
        "lpips_squeeze", "pair", 32, "lower", 4, "LPIPS v0.1, SqueezeNet 1.1, RGB; not that with AlexNet"
    ),
    MetricSpec(
        "landmark_px",
        "pair",
        40,
        "lower",
        3,
        "mean distance of MTCNN's five points of the largest face, pixels, same box for both; faces of "
        f"{LEAST_FACE} of the shorter side or more; pictures without a face are counted in no_face_in_target "
        "and no_face_in_output",
        gap=_FACE,
    ),
    MetricSpec(
        "identity_edgeface",
        "pair",
        40,
        "higher",
        4,
        "cosine of EdgeFace-XXS embeddings, both crops by the reference's landmarks",
        gap=_FACE,
    ),
    MetricSpec(
        "identity_mobilefacenet",
        "pair",
        40,
        "higher",
        4,
        "cosine of MobileFaceNet embeddings, both crops by the reference's landmarks; flatters what was "
        "trained with it",
        gap=_FACE,
    ),
    MetricSpec(
        "niqe",
        "picture",
        192,
        "lower",
        3,
        "NIQE of 2013, its authors' pristine parameters, Y of BT.601 in the limited range, rounded, blocks "
        "of 96 pixels",
        gap=_FLAT,
    ),
    MetricSpec(
        "brisque",
        "picture",
        32,
        "lower",
        2,
        "BRISQUE of 2012, its authors' model, full-range luma, rounded; not MATLAB's own function",
        gap=_FLAT,
    ),
    MetricSpec(
        "fd_squeezenet",
        "set",
        32,
        "lower",
        3,
        "Fréchet distance of the global means of SqueezeNet 1.1's features, pictures at their own size; not "
        "the FID; compares only with like sizes and numbers of pictures",
    ),
    MetricSpec(
        "fid",
        "set",
        32,
        "lower",
        3,
        "Fréchet Inception distance, torch-fidelity's Inception; compares only with like numbers of pictures",
    ),
)

METRICS = {measure.name: measure for measure in _TABLE}
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


class MetricSuite:
    """The measures that this machine can take, loaded once.

    Args:
        device: where they are taken.
        with_reference: each picture has one.
        with_sets: there is a set to compare with; None: the references, where there are some.
        only: these measures.

    Attributes:
        names: of these measures, in the order of tables.
        notes: one line for each that cannot be taken, with what to get.
        no_face_in_target: pictures so far whose reference has no face for the detector.
        no_face_in_output: pictures so far whose reference has a face and which have none themselves.
    """

    def __init__(
        self,
        device: torch.device,
        *,
        with_reference: bool,
        with_sets: bool | None = None,
        only: Collection[str] | None = None,
    ) -> None:
        can: dict[Needs, bool] = {
            "picture": True,
            "pair": with_reference,
            "set": with_reference if with_sets is None else with_sets,
        }
        self.device = device
        self.names: list[str] = []
        self.notes: list[str] = []
        self.no_face_in_target = self.no_face_in_output = 0
        self._networks: dict[str, nn.Module] = {}
        self._detectors: dict[int, FaceDetector] = {}
        for name, measure in METRICS.items():
            if can[measure.needs] and (only is None or name in only):
                self._load(name)

    @torch.inference_mode()
    def measure(self, outputs: Tensor, targets: Tensor | None) -> dict[str, Tensor]:
        """All measures of single pictures and pairs of one batch.

        Args:
            outputs: (B, 3, H, W), RGB in [0, 1], as 8-bit files hold them; on the device.
            targets: likewise, or None.

        Returns:
            name -> (B,) float64 on the CPU, NaN where it cannot be measured: too small, flat, or faceless.
        """
        faces = None if targets is None else self._find_faces(targets)
        found: dict[str, Tensor] = {}
        for name in self.names:
            if METRICS[name].needs == "set":
                continue
            if min(outputs.shape[-2:]) < METRICS[name].least_side:
                found[name] = torch.full((len(outputs),), torch.nan, dtype=torch.float64)
            elif targets is None or faces is None or METRICS[name].needs == "picture":
                found[name] = self._networks[name](outputs).double().cpu()
            else:
                found[name] = self._compare(name, outputs, targets, faces).double().cpu()
        return found

    @torch.inference_mode()
    def features(self, pictures: Tensor) -> dict[str, Tensor]:
        """What the measures of sets compare: name -> (B, D) on the CPU; empty for pictures too small."""
        return {
            name: network.features(pictures).cpu()
            for name, network in self._networks.items()
            if isinstance(network, FrechetDistance) and min(pictures.shape[-2:]) >= METRICS[name].least_side
        }

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
        if name == "landmark_px":
            moved = measure_landmark_error(outputs, faces, self._detector(targets))
            self.no_face_in_target += moved.no_face_in_target
            self.no_face_in_output += moved.no_face_in_output
            return moved.errors
        network = self._networks[name]
        if isinstance(network, Identity):
            return identity_similarity(outputs, targets, faces, network)
        return network(outputs, targets)

    def _find_faces(self, targets: Tensor) -> TargetFaces:
        """The largest face of each picture; nobody in pictures too small for one."""
        if min(targets.shape[-2:]) < METRICS["landmark_px"].least_side:
            nobody = torch.zeros(0, dtype=torch.long, device=targets.device)
            return TargetFaces(targets.shape, nobody, targets.new_zeros(0, 4), targets.new_zeros(0, 5, 2))
        return find_target_faces(targets, self._detector(targets))

    def _detector(self, targets: Tensor) -> FaceDetector:
        side = min(targets.shape[-2:])
        if side not in self._detectors:
            self._detectors[side] = FaceDetector(min_face=max(12.0, LEAST_FACE * side)).eval().to(self.device)
        return self._detectors[side]

"""Trust of restored faces whose truth is known: how well its figures predict what cannot be seen in use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from torch import Tensor

from lumiface.data.benchmarks.damaged import DamageSettings, build_damaged_pair
from lumiface.data.benchmarks.ground_truth import ground_truth, picture_seed
from lumiface.data.benchmarks.llf import LLFSettings, build_pair
from lumiface.data.sources import PictureSource
from lumiface.degradations.blur import blur, blur_radius, gaussian_kernels
from lumiface.degradations.camera_pipeline import CAMERA, CameraConfig, simulate_camera
from lumiface.degradations.lowlight import sensor_noise
from lumiface.degradations.resample import resize
from lumiface.evaluation.studies.ways import aligned_face
from lumiface.faces.face import Face
from lumiface.faces.measure import FaceMeasures, measure_face
from lumiface.imaging.denoise import denoise_shadows
from lumiface.imaging.io import decode_rgb8
from lumiface.imaging.quantize import from_uint8, quantize
from lumiface.restoration.auto_restorer import AutoRestorer
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.restored import RestoredFace
from lumiface.restoration.trust.invention import error_map, features
from lumiface.restoration.trust.variations import varied_patches

ProtocolName = Literal["camera", "llf", "dark-blind"]
"""camera: darkened, reduced from 128 to 32 px, noisy and compressed; llf: darkened and reduced as in the LLF
benchmark; both are restored by the default network where it is chosen, which is nearly always;
dark-blind: dark and damaged at 128 px, restored by the joint and the blind network where that is chosen."""

HARD = CameraConfig(lit=0.0, gain=(0.1, 0.4), gamma=(1.5, 3.0), read=(0.004, 0.02), shot=(0.0005, 0.003))
"""Hard dark faces: none keeps its light, and the sensor's noise is always there."""


SHOT, READ = 1e-3, 1e-2
"""Variance per unit of light, and deviation in black, of the noise of `dimmed`."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownFace:
    """A degraded photograph (1, 3, h, h) that is one aligned face, and the true face (1, 3, S, S)."""

    name: str
    photograph: Tensor
    truth: Tensor

    @property
    def face(self) -> Face:
        return aligned_face(self.photograph.shape[-1])

    @property
    def measures(self) -> FaceMeasures:
        return measure_face(self.photograph, self.face)


def known_faces(
    source: PictureSource, protocol: ProtocolName, camera: CameraConfig = CAMERA
) -> Iterator[KnownFace]:
    """Faces of a source, each degraded with parameters drawn from its name: their order does not matter."""
    for name, data in source.items():
        if protocol == "dark-blind":
            pair = build_damaged_pair(data, name, DamageSettings("dark-blind", 128))
            yield KnownFace(name, from_uint8(pair.degraded), from_uint8(pair.clean))
        elif protocol == "llf":
            small = build_pair(data, name, LLFSettings(hr_size=128, scale=4, seed=0))
            yield KnownFace(name, from_uint8(small.lr.copy()), from_uint8(small.hr.copy()))
        else:
            truth = from_uint8(ground_truth(decode_rgb8(data, name), name, 128))
            generator = torch.Generator().manual_seed(picture_seed(0, name) >> 192)
            yield KnownFace(name, simulate_camera(truth, camera, 4, generator), truth)


class KnownFaceRestorer:
    """What `restore` makes of a known face, before its guard."""

    def __init__(self) -> None:
        self.restorer = AutoRestorer(RestoreConfig(task="auto"), torch.device("cpu"))

    def __call__(self, photograph: Tensor, face: Face, measured: FaceMeasures) -> Tensor:
        """(1, 3, h, h) -> the patch (1, 3, S, S)."""
        return self.restored(photograph, face, measured).patch

    @torch.inference_mode()
    def restored(self, photograph: Tensor, face: Face, measured: FaceMeasures) -> RestoredFace:
        """The same with its report."""
        quiet = cache(lambda: denoise_shadows(photograph))
        return self.restorer(photograph, quiet, [face], [measured])[0]


@torch.inference_mode()
def invention_evidence(
    known: KnownFace, restorer: KnownFaceRestorer, place: Tensor
) -> tuple[Tensor, Tensor, FaceMeasures]:
    """Features (F, 128, 128) and true error (1, 1, 128, 128) of one restored face, and its measures."""
    measured = known.measures
    patch = restorer(known.photograph, known.face, measured)
    variants = list(
        varied_patches(known.photograph, known.face, lambda rgb, face: restorer(rgb, face, measured))
    )
    values = features(patch, variants, known.photograph, measured, place)
    return values, error_map(patch, known.truth), measured


def spearman(one: Tensor, other: Tensor) -> float:
    """Spearman's rank correlation of two vectors (N,); ties are ranked in their order."""
    ranks = torch.stack([values.double().argsort().argsort().double() for values in (one, other)])
    return float(torch.corrcoef(ranks)[0, 1])


def auc(same: Tensor, different: Tensor) -> float:
    """Area under the ROC curve: the probability that a pair of one person is more alike than one of two."""
    ordered = different.double().sort().values
    below = torch.searchsorted(ordered, same.double(), right=False)
    not_above = torch.searchsorted(ordered, same.double(), right=True)
    return float((below + not_above).double().mean() / (2 * len(ordered)))


def split_pairs(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines of embeddings (N, D) of N people twice: (N,) of one person, (N (N - 1),) of two."""
    cosines = one @ other.mT
    mine = torch.eye(len(one), dtype=torch.bool)
    return cosines[mine], cosines[~mine]


def dimmed(known: KnownFace, side: int, gain: float, sigma: float) -> KnownFace:
    """The face with another photograph: dark, small and blurred by known amounts, with a camera's noise.

    Args:
        side: of the photograph, pixels.
        gain: factor of its light.
        sigma: of the blur, pixels of the photograph.
    """
    small = resize(known.truth, (side, side)).clamp(0.0, 1.0)
    if sigma > 0.0:
        deviation = small.new_tensor([sigma])
        kernels = gaussian_kernels(deviation, deviation, torch.zeros_like(deviation), blur_radius(sigma))
        small = blur(small, kernels)
    generator = torch.Generator().manual_seed(picture_seed(0, known.name) >> 192)
    noise = torch.randn(small.shape, generator=generator)
    dark = sensor_noise(gain * small, torch.tensor([SHOT]), torch.tensor([READ]), noise)
    return KnownFace(known.name, quantize(dark), known.truth)

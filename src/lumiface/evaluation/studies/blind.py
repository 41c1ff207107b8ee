"""The blind restorer, measured beside its variants on the same damage, and on really damaged photographs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.data.benchmarks.damaged import DamageSettings, damaged_pairs
from lumiface.data.sources import PictureSource
from lumiface.evaluation.column import Column, Told
from lumiface.evaluation.metric_suite import MetricSuite
from lumiface.faces.align import crop_face, face_matrix, native_side
from lumiface.faces.find import find_faces
from lumiface.imaging.io import Picture, decode_rgb8
from lumiface.imaging.quantize import from_uint8, quantize
from lumiface.metrics.frechet import FrechetDistance, frechet_distance
from lumiface.restore.restorer import Restorer

LOOKED_AT = 256
"""Side in pixels at which identity and NIQE are measured: smaller pictures are enlarged, all alike."""

SMALL_SCORES = ("psnr_y", "lpips_squeeze")
LARGE_SCORES = ("identity_edgeface", "niqe")

INPUT = "input"
"""What the damaged pictures themselves are called in tables."""


@torch.inference_mode()
def measure_restorers(
    networks: Mapping[str, Any], source: PictureSource, side: int, tell: Told | None = None
) -> tuple[dict[str, Column], dict[str, float]]:
    """What each network makes of faces damaged by the blind protocol, seed 0.

    Args:
        networks: name -> restorer, each working at `side` pixels.
        source: good faces.
        side: of the pictures.

    Returns:
        Columns by name, the damaged input's first (`INPUT`): PSNR-Y and LPIPS at `side`, identity and NIQE at
        `LOOKED_AT`; and by name the Fréchet distance to the good faces, at `side`.
    """
    names = [INPUT, *networks]
    columns = {name: Column() for name in names}
    small = MetricSuite(torch.device("cpu"), with_reference=True, only=SMALL_SCORES)
    large = MetricSuite(torch.device("cpu"), with_reference=True, only=LARGE_SCORES)
    distance = FrechetDistance("squeezenet")
    features: dict[str, list[Tensor]] = {name: [] for name in ("truth", *names)}
    for done, pair in enumerate(damaged_pairs(source, DamageSettings("blind", side)), start=1):
        bad, good = from_uint8(pair.bad), from_uint8(pair.good)
        features["truth"].append(distance.features(good))
        for name in names:
            output = bad if name == INPUT else quantize(networks[name](bad))
            columns[name].add(small.measure(output, good))
            columns[name].add(large.measure(*(quantize(_to_look_at(face)) for face in (output, good))))
            features[name].append(distance.features(output))
        if tell:
            tell(done, len(source))
    truth = torch.cat(features["truth"])
    return columns, {name: float(frechet_distance(torch.cat(features[name]), truth)) for name in names}


@torch.inference_mode()
def measure_real(
    restorers: Mapping[str, Restorer], source: PictureSource, good: PictureSource, tell: Told | None = None
) -> tuple[dict[str, Column], dict[str, float], dict[str, list[Tensor]]]:
    """What each way of restoring makes of really damaged photographs; of each, the main face is measured.

    Args:
        restorers: name -> restorer of whole photographs, at scale 1.
        source: damaged photographs; those without a face are left out.
        good: sharp aligned faces, to which the Fréchet distance is taken.

    Returns:
        Columns by name, the photographs' own first (`INPUT`): NIQE and identity with the input; by name the
        Fréchet distance; and by name the aligned faces (1, 3, 256, 256), to look at.
    """
    names = [INPUT, *restorers]
    columns = {name: Column() for name in names}
    instruments = MetricSuite(torch.device("cpu"), with_reference=True, only=LARGE_SCORES)
    distance = FrechetDistance("squeezenet")
    faces: dict[str, list[Tensor]] = {name: [] for name in names}
    first = next(iter(restorers.values()))
    for done, (name, data) in enumerate(source.items(), start=1):
        picture = Picture(from_uint8(decode_rgb8(data, name).copy()))
        found = find_faces(picture.rgb, first.detector, which="all", min_face=first.config.min_face)
        main = max(found, key=native_side, default=None)
        if main is not None:
            matrix = face_matrix(main)
            before = quantize(crop_face(picture.rgb, matrix, LOOKED_AT))
            for way in names:
                after = before
                if way != INPUT:
                    after = quantize(crop_face(restorers[way](picture).picture.rgb, matrix, LOOKED_AT))
                columns[way].add(instruments.measure(after, before))
                faces[way].append(after)
        if tell:
            tell(done, len(source))
    sharp = [
        distance.features(_to_look_at(from_uint8(decode_rgb8(data, name).copy())))
        for name, data in good.items()
    ]
    truth = torch.cat(sharp)
    told = {
        name: float(frechet_distance(torch.cat([distance.features(face) for face in seen]), truth))
        for name, seen in faces.items()
    }
    return columns, told, faces


def _to_look_at(faces: Tensor) -> Tensor:
    if faces.shape[-1] == LOOKED_AT:
        return faces
    size = (LOOKED_AT, LOOKED_AT)
    return F.interpolate(faces, size=size, mode="bicubic", antialias=True).clamp(0.0, 1.0)

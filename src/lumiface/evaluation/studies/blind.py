"""Restorers of damaged faces side by side: on synthetic degradation, and on real photographs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.data.benchmarks.damaged import DamageSettings, ProtocolName, damaged_pairs
from lumiface.data.sources import PictureSource
from lumiface.evaluation.accumulate import ScoreAccumulator
from lumiface.evaluation.metric_suite import MetricSuite
from lumiface.evaluation.studies import Progress
from lumiface.faces.align import crop_face, face_matrix, native_side
from lumiface.faces.find import find_faces
from lumiface.faces.measure import face_light
from lumiface.imaging.io import Picture, decode_rgb8
from lumiface.imaging.quantize import from_uint8, quantize
from lumiface.restoration.restorer import Restorer

LARGE_SIZE = 256
"""Pixels per side at which identity and NIQE are measured; smaller images are enlarged first."""

SMALL_METRICS = ("psnr_y", "lpips_squeeze")
LARGE_METRICS = ("identity_edgeface", "niqe")
SET_METRICS = ("fd_squeezenet",)
LIGHT = "face_light"
"""Mean brightness of the face alone, 0 to 1; see `faces.measure.face_light`."""

INPUT = "input"
"""Name of the row of the degraded images themselves."""


@torch.inference_mode()
def measure_restorers(
    networks: Mapping[str, Any],
    source: PictureSource,
    side: int,
    progress: Progress | None = None,
    protocol: ProtocolName = "blind",
) -> tuple[dict[str, ScoreAccumulator], dict[str, float | None]]:
    """The outputs of each network for faces degraded by a protocol, seed 0.

    Args:
        networks: name -> restorer, (1, 3, side, side) -> the same shape.
        source: clean faces.
        side: pixels per side of the images.
        protocol: the degradation.

    Returns:
        Scores by name, the degraded input's first (`INPUT`): PSNR-Y, LPIPS and the face's light at `side`,
        identity and NIQE at `LARGE_SIZE`; and by name the Fréchet distance to the clean faces, at `side`.
    """
    scores = {name: ScoreAccumulator() for name in (INPUT, *networks)}
    clean = ScoreAccumulator()
    small = _suite(SMALL_METRICS + SET_METRICS)
    large = _suite(LARGE_METRICS)
    for done, pair in enumerate(damaged_pairs(source, DamageSettings(protocol, side)), start=1):
        degraded, target = from_uint8(pair.degraded), from_uint8(pair.clean)
        clean.add_features(small.features(target))
        for name, accumulator in scores.items():
            output = degraded if name == INPUT else quantize(networks[name](degraded))
            accumulator.add(small.measure(output, target).scores)
            accumulator.add(large.measure(quantize(_enlarge(output)), quantize(_enlarge(target))).scores)
            accumulator.add({LIGHT: torch.tensor([face_light(output)])})
            accumulator.add_features(small.features(output))
        if progress:
            progress(done, len(source))
    return scores, _distances(scores, clean)


@torch.inference_mode()
def measure_real(
    restorers: Mapping[str, Restorer],
    source: PictureSource,
    good: PictureSource,
    progress: Progress | None = None,
) -> tuple[dict[str, ScoreAccumulator], dict[str, float | None], dict[str, list[Tensor]]]:
    """The outputs of each restorer for real degraded photographs; the main face of each is measured.

    Args:
        restorers: name -> restorer of whole photographs, at scale 1.
        source: degraded photographs; those without a face are skipped.
        good: sharp aligned faces, to which the Fréchet distance is measured.

    Returns:
        Scores by name, the photographs' own first (`INPUT`): NIQE and identity with the input; by name the
        Fréchet distance; and by name the aligned faces (1, 3, 256, 256).
    """
    scores = {name: ScoreAccumulator() for name in (INPUT, *restorers)}
    sharp = ScoreAccumulator()
    suite = _suite(LARGE_METRICS + SET_METRICS)
    faces: dict[str, list[Tensor]] = {name: [] for name in scores}
    first = next(iter(restorers.values()))
    for done, (file, data) in enumerate(source.items(), start=1):
        picture = Picture(from_uint8(decode_rgb8(data, file).copy()))
        found = find_faces(picture.rgb, first.detector, which="all", min_face=first.config.min_face)
        main = max(found, key=native_side, default=None)
        if main is not None:
            matrix = face_matrix(main)
            before = quantize(crop_face(picture.rgb, matrix, LARGE_SIZE))
            for name, accumulator in scores.items():
                after = before
                if name != INPUT:
                    after = quantize(crop_face(restorers[name](picture).picture.rgb, matrix, LARGE_SIZE))
                accumulator.add(suite.measure(after, before).scores)
                accumulator.add_features(suite.features(after))
                faces[name].append(after)
        if progress:
            progress(done, len(source))
    for file, data in good.items():
        sharp.add_features(suite.features(_enlarge(from_uint8(decode_rgb8(data, file).copy()))))
    return scores, _distances(scores, sharp), faces


def _suite(metrics: tuple[str, ...]) -> MetricSuite:
    return MetricSuite(torch.device("cpu"), with_reference=True, only=metrics)


def _distances(
    scores: Mapping[str, ScoreAccumulator], reference: ScoreAccumulator
) -> dict[str, float | None]:
    (metric,) = SET_METRICS
    return {name: found.set_distance(metric, reference).value for name, found in scores.items()}


def _enlarge(faces: Tensor) -> Tensor:
    if faces.shape[-1] == LARGE_SIZE:
        return faces
    size = (LARGE_SIZE, LARGE_SIZE)
    return F.interpolate(faces, size=size, mode="bicubic", antialias=True).clamp(0.0, 1.0)

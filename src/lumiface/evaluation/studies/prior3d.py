"""The 3D prior and the enhancer beside their ablation variants, on the same images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lumiface.data.benchmarks.damaged import DamageSettings, damaged_pairs
from lumiface.data.sources import PictureSource
from lumiface.data.training.prior_guided_set import fingerprint
from lumiface.data.training.view_set import ViewSet
from lumiface.evaluation.accumulate import ScoreAccumulator
from lumiface.evaluation.metric_suite import MetricSuite
from lumiface.evaluation.studies import Progress
from lumiface.geometry.camera import camera_angles
from lumiface.imaging.io import decode_rgb8
from lumiface.imaging.quantize import from_uint8, quantize
from lumiface.metrics.depth import depth_correlation

PRIOR_METRICS = ("psnr_rgb", "lpips_squeeze", "identity_edgeface")
PAIRED_METRICS = ("psnr_y", "psnr_rgb", "ssim_y", "ssim_rgb", "lpips_squeeze", "identity_edgeface")
UNPAIRED_METRICS = ("niqe", "brisque")


@torch.inference_mode()
def measure_priors(
    priors: Mapping[str, Any],
    lifter: Any,
    views: ViewSet,
    source: PictureSource,
    side: int,
    progress: Progress | None = None,
) -> dict[str, ScoreAccumulator]:
    """Each prior's sample from darkened faces, against the lifter's rendering of the bright faces.

    Both are rendered at `side` pixels, each from its own camera: the sampled one, and the photograph's.
    Besides `PRIOR_METRICS`: `depth`, the correlation of the sample's depth with that of the landmarks' mesh
    inside the face, from the photograph's camera; `yaw` and `pitch`, degrees between the cameras.

    Args:
        views: with cameras, of images of `source`, by name; darkened by the FRR set of seed 0.
    """
    scores = {name: ScoreAccumulator() for name in priors}
    suite = MetricSuite(torch.device("cpu"), with_reference=True, only=PRIOR_METRICS)
    rows = {name: row for row, name in enumerate(views.names)}
    for done, pair in enumerate(damaged_pairs(source, DamageSettings("frr")), start=1):
        if pair.name not in rows:
            continue
        view = views.batch([rows[pair.name]], side)
        lifted = quantize(lifter.render(lifter(view.pictures, view.cameras), view.cameras, side).colour)
        for name, prior in priors.items():
            sample = prior.sample(from_uint8(pair.degraded))
            rendering = quantize(prior.render(sample, (side, side)).colour)
            depth = prior.render(sample, (side, side), view.cameras).depth
            correlation = depth_correlation(depth[:, 0], view.depth[:, 0], view.mask[:, 0])
            angles = (camera_angles(sample.camera) - camera_angles(view.cameras)).abs()
            scores[name].add(suite.measure(rendering, lifted).scores)
            scores[name].add({"depth": correlation, "yaw": angles[:, 0], "pitch": angles[:, 1]})
        if progress:
            progress(done, len(source))
    return scores


@torch.inference_mode()
def measure_enhancers(
    networks: Mapping[str, Any],
    pictures: Sequence[tuple[Tensor, Tensor | None]],
    progress: Progress | None = None,
) -> dict[str, ScoreAccumulator]:
    """The outputs of each network for dark pictures: against their targets, where they have one, or alone.

    Networks that have the same prior share its prediction, which changes nothing but the time.

    Args:
        networks: name -> `Prior3D`.
        pictures: dark and bright, (1, 3, H, W) each; all with a bright one, or all without.
    """
    scores = {name: ScoreAccumulator() for name in networks}
    with_target = pictures[0][1] is not None
    metrics = PAIRED_METRICS if with_target else UNPAIRED_METRICS
    suite = MetricSuite(torch.device("cpu"), with_reference=with_target, only=metrics)
    fingerprints = {
        name: fingerprint(network) if network.prior is not None else b"" for name, network in networks.items()
    }
    for done, (dark, bright) in enumerate(pictures, start=1):
        predicted: dict[bytes, Any] = {}
        for name, network in networks.items():
            if fingerprints[name] not in predicted:
                predicted[fingerprints[name]] = network.predict_prior(dark)
            prior = predicted[fingerprints[name]]
            output = quantize(network.enhancer(dark, prior.rendering, prior.depth))
            scores[name].add(suite.measure(output, bright).scores)
        if progress:
            progress(done, len(pictures))
    return scores


def frr_pictures(source: PictureSource) -> Iterator[tuple[Tensor, Tensor]]:
    """The FRR set of seed 0, 256 pixels: dark and bright."""
    for pair in damaged_pairs(source, DamageSettings("frr")):
        yield from_uint8(pair.degraded), from_uint8(pair.clean)


def dark_pictures(source: PictureSource) -> Iterator[tuple[Tensor, None]]:
    """Real dark pictures, which have no bright counterpart."""
    for name, data in source.items():
        yield from_uint8(decode_rgb8(data, name)), None

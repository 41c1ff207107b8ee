"""The 3D prior and the enhancer, measured beside their variants on the same pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lumiface.data.benchmarks.damaged import DamageSettings, damaged_pairs
from lumiface.data.sources import PictureSource
from lumiface.data.training.prior_guided_set import seal
from lumiface.data.training.view_set import ViewSet
from lumiface.evaluation.column import Column, Told
from lumiface.evaluation.metric_suite import MetricSuite
from lumiface.geometry.camera import camera_angles
from lumiface.imaging.io import decode_rgb8
from lumiface.imaging.quantize import from_uint8, quantize
from lumiface.metrics.depth import depth_correlation

PRIOR_SCORES = ("psnr_rgb", "lpips_squeeze", "identity_edgeface")
PAIRED_SCORES = ("psnr_y", "psnr_rgb", "ssim_y", "ssim_rgb", "lpips_squeeze", "identity_edgeface")
UNPAIRED_SCORES = ("niqe", "brisque")


@torch.inference_mode()
def measure_priors(
    priors: Mapping[str, Any],
    lifter: Any,
    views: ViewSet,
    source: PictureSource,
    side: int,
    tell: Told | None = None,
) -> dict[str, Column]:
    """Each prior drawn from faces made dark, against the lifter's rendering of the bright faces.

    Both are rendered at `side` pixels, each from its own camera: the drawn one, and the photograph's. Besides
    `PRIOR_SCORES`: `depth`, the correlation of the drawn face's depth with the points' mesh inside the face,
    seen from the photograph's camera; `yaw` and `pitch`, degrees between the cameras.

    Args:
        views: with cameras, of pictures of `source`, by name; darkened by the FRR set of seed 0.
    """
    columns = {name: Column() for name in priors}
    instruments = MetricSuite(torch.device("cpu"), with_reference=True, only=PRIOR_SCORES)
    rows = {name: row for row, name in enumerate(views.names)}
    for done, pair in enumerate(damaged_pairs(source, DamageSettings("frr")), start=1):
        if pair.name not in rows:
            continue
        view = views.batch([rows[pair.name]], side)
        lifted = lifter.render(lifter(view.pictures, view.cameras), view.cameras, side).colour
        for name, prior in priors.items():
            drawn = prior.sample(from_uint8(pair.bad))
            seen = quantize(prior.render(drawn, (side, side)).colour)
            found = instruments.measure(seen, quantize(lifted))
            relief = prior.render(drawn, (side, side), view.cameras).depth
            turned = (camera_angles(drawn.camera) - camera_angles(view.cameras)).abs()
            found["depth"] = depth_correlation(relief[:, 0], view.depth[:, 0], view.mask[:, 0])
            columns[name].add(found | {"yaw": turned[:, 0], "pitch": turned[:, 1]})
        if tell:
            tell(done, len(source))
    return columns


@torch.inference_mode()
def measure_enhancers(
    networks: Mapping[str, Any], pictures: Sequence[tuple[Tensor, Tensor | None]], tell: Told | None = None
) -> dict[str, Column]:
    """What each network makes of dark pictures: against their truth, where they have one, or by itself.

    Networks that are led by the same prior share what it draws, which changes nothing but the time.

    Args:
        networks: name -> `Prior3D`.
        pictures: dark (1, 3, H, W) and bright or None, all with or all without.
    """
    columns = {name: Column() for name in networks}
    with_truth = pictures[0][1] is not None
    names = PAIRED_SCORES if with_truth else UNPAIRED_SCORES
    instruments = MetricSuite(torch.device("cpu"), with_reference=with_truth, only=names)
    seals = {name: seal(network) if network.prior is not None else b"" for name, network in networks.items()}
    for done, (dark, bright) in enumerate(pictures, start=1):
        leads: dict[bytes, Any] = {}
        for name, network in networks.items():
            if seals[name] not in leads:
                leads[seals[name]] = network.predict_prior(dark)
            lead = leads[seals[name]]
            output = quantize(network.enhancer(dark, lead.rendering, lead.depth))
            columns[name].add(instruments.measure(output, bright))
        if tell:
            tell(done, len(pictures))
    return columns


def frr_pictures(source: PictureSource) -> Iterator[tuple[Tensor, Tensor]]:
    """The FRR set of seed 0, 256 pixels: dark and bright."""
    for pair in damaged_pairs(source, DamageSettings("frr")):
        yield from_uint8(pair.bad), from_uint8(pair.good)


def dark_pictures(source: PictureSource) -> Iterator[tuple[Tensor, None]]:
    """Really dark pictures, which nobody knows bright."""
    for name, data in source.items():
        yield from_uint8(decode_rgb8(data, name)), None

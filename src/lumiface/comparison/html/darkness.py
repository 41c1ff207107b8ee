"""PSNR over the darkness γ, one small panel per method.

Every panel has the same axes and shows all other methods in grey, so that each curve can be compared with the
others, in print as on the screen, without a legend of twenty colours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lumiface.comparison.html.formats import format_fixed
from lumiface.comparison.html.svg import (
    Scale,
    chart,
    circle,
    linear_ticks,
    padded,
    path,
    shortened,
    text,
    x_axis,
    y_axis,
)
from lumiface.comparison.html.views import SetView
from lumiface.evaluation.accumulate import ScoreAccumulator
from lumiface.evaluation.bootstrap import bootstrap_interval
from lumiface.figures.markup import Markup, join, tag

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 280.0, 186.0, 34.0, 8.0, 24.0, 34.0
_MAX_BINS, _MIN_IN_BIN = 8, 5


@dataclass(frozen=True, slots=True)
class Bin:
    """Pictures of similar darkness: mean γ, mean PSNR (dB), its 95 % interval, their number."""

    gamma: float
    psnr: float
    low: float
    high: float
    images: int


def darkness_bins(scores: ScoreAccumulator) -> list[Bin]:
    """A method's PSNR in up to eight equally wide ranges of γ, each with 5 pictures or more."""
    gamma, psnr = scores.values("gamma"), scores.values("psnr_y")
    if len(gamma) != len(psnr):
        return []
    measured = np.isfinite(gamma) & np.isfinite(psnr)
    gamma, psnr = gamma[measured], psnr[measured]
    if len(gamma) < _MIN_IN_BIN:
        return []
    count = int(np.clip(len(gamma) // (2 * _MIN_IN_BIN), 1, _MAX_BINS))
    edges = np.linspace(gamma.min(), gamma.max(), count + 1)
    bin_index = np.clip(np.searchsorted(edges, gamma, side="right") - 1, 0, count - 1)
    bins: list[Bin] = []
    for index in range(count):
        members = bin_index == index
        ends = bootstrap_interval(psnr[members], seed=scores.seed)
        if members.sum() >= _MIN_IN_BIN and ends is not None:
            mean_gamma, mean_psnr = float(gamma[members].mean()), float(psnr[members].mean())
            bins.append(Bin(mean_gamma, mean_psnr, *ends, int(members.sum())))
    return bins


def darkness_panels(view: SetView, number: int) -> list[Markup]:
    """One chart per method, in the table's order; empty where there are no scores per picture.

    Args:
        number: of the set on the page; the panels share one SVG group, whose id contains it.
    """
    methods = {str(row["method"]): darkness_bins(view.scores(row["method"])) for row in view.rows}
    methods = {name: bins for name, bins in methods.items() if len(bins) > 1}
    if not methods:
        return []
    trained = [methods[row["method"]] for row in view.trained if row["method"] in methods]
    in_range = [bin_ for bins in trained or methods.values() for bin_ in bins]
    all_gammas = np.concatenate([view.scores(name).values("gamma") for name in methods])
    gammas = all_gammas[np.isfinite(all_gammas)].tolist()
    x = Scale(*padded(gammas, 0.02, 0.1), _LEFT, _WIDTH - _RIGHT)
    ends = padded([end for bin_ in in_range for end in (bin_.low, bin_.high)], 0.05, 1.0)
    y = Scale(*ends, _HEIGHT - _BOTTOM, _TOP)
    best = view.best["method"] if view.best is not None else None
    background = _background(methods, x, y, number)
    return [
        _panel(name, bins, x, y, number, background if index == 0 else None, is_best=name == best)
        for index, (name, bins) in enumerate(methods.items())
    ]


def _background(methods: Mapping[str, list[Bin]], x: Scale, y: Scale, number: int) -> Markup:
    """Axes and every method's line in grey: defined once, used in each panel, clipped to its frame."""
    y_ticks, x_ticks = linear_ticks(y.low, y.high, 5), linear_ticks(x.low, x.high, 5)
    horizontal = y_axis(y, y_ticks, _LEFT, _WIDTH - _RIGHT, [f"{tick:g}" for tick in y_ticks])
    vertical = x_axis(x, x_ticks, _TOP, _HEIGHT - _BOTTOM, [f"{tick:g}" for tick in x_ticks])
    frame = tag("rect", x=_LEFT, y=_TOP, width=_WIDTH - _LEFT - _RIGHT, height=_HEIGHT - _TOP - _BOTTOM)
    clip = tag("clipPath", frame, id=f"frame-{number}")
    lines = [path([(x(bin_.gamma), y(bin_.psnr)) for bin_ in bins], "ghost") for bins in methods.values()]
    all_lines = tag("g", *lines, clip_path=f"url(#frame-{number})")
    name = text(_WIDTH - _RIGHT, _HEIGHT - 7, "darkness γ", "axis-name", "end")
    return tag(
        "defs",
        clip,
        tag("g", horizontal, vertical, all_lines, name, id=f"background-{number}", class_="shared"),
    )


def _panel(
    name: str, bins: list[Bin], x: Scale, y: Scale, number: int, background: Markup | None, *, is_best: bool
) -> Markup:
    kind = "best" if is_best else "other"
    above = [(x(bin_.gamma), y(bin_.high)) for bin_ in bins]
    below = [(x(bin_.gamma), y(bin_.low)) for bin_ in reversed(bins)]
    points = [
        circle(
            x(bin_.gamma), y(bin_.psnr), 2.5, f"point {kind}",
            f"{name}, γ about {bin_.gamma:.1f}: {format_fixed(bin_.psnr, 2)} dB "
            f"[{format_fixed(bin_.low, 2)}, {format_fixed(bin_.high, 2)}], {bin_.images} pictures",
        )
        for bin_ in bins
    ]  # fmt: skip
    curve = path([(x(bin_.gamma), y(bin_.psnr)) for bin_ in bins], f"curve {kind}")
    own = tag("g", path([*above, *below], f"band {kind}", closed=True), curve, *points,
              clip_path=f"url(#frame-{number})")  # fmt: skip
    outside = max(bin_.psnr for bin_ in bins) < y.low
    mean = sum(bin_.psnr * bin_.images for bin_ in bins) / sum(bin_.images for bin_ in bins)
    note = text(
        (_LEFT + _WIDTH) / 2, y.start - 14, f"↓ {format_fixed(mean, 1)} dB on average", "tick", "middle"
    )
    heading = text(_LEFT, 11, shortened(name, 38), f"name {kind}")
    shared = tag("use", href=f"#background-{number}")
    title = f"PSNR-Y of {name} over the darkness γ: " + join(
        ", ".join(f"{format_fixed(bin_.psnr, 1)} dB at {bin_.gamma:.1f}" for bin_ in bins)
    )
    return chart(
        _WIDTH,
        _HEIGHT,
        title,
        background,
        shared,
        own,
        heading,
        note if outside else None,
        class_="chart panel",
    )

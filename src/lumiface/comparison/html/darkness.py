"""PSNR over the darkness γ, one small panel a method: where does each of them break?

Every panel has the same axes and, in grey, all the other methods; so each line can be read alone and against
the rest, in print as on the screen, without a legend of twenty colours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lumiface.comparison.html.formats import fixed
from lumiface.comparison.html.markup import Markup, join, tag
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
from lumiface.evaluation.bootstrap import mean_interval, scores

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 280.0, 186.0, 34.0, 8.0, 24.0, 34.0
_MOST_BINS, _LEAST_IN_BIN = 8, 5


@dataclass(frozen=True, slots=True)
class Bin:
    """Pictures of about one darkness: mean γ, mean PSNR (dB), its 95 % interval, how many."""

    gamma: float
    psnr: float
    low: float
    high: float
    images: int


def bins_of(of_method: Mapping[str, Any] | None) -> list[Bin]:
    """A method's PSNR in up to eight equally wide ranges of γ, but none of fewer than 5 pictures."""
    gamma, psnr = scores(of_method, "gamma"), scores(of_method, "psnr_y")
    if gamma is None or psnr is None or len(gamma) != len(psnr):
        return []
    known = np.isfinite(gamma) & np.isfinite(psnr)
    gamma, psnr = gamma[known], psnr[known]
    if len(gamma) < _LEAST_IN_BIN:
        return []
    count = int(np.clip(len(gamma) // (2 * _LEAST_IN_BIN), 1, _MOST_BINS))
    edges = np.linspace(gamma.min(), gamma.max(), count + 1)
    place = np.clip(np.searchsorted(edges, gamma, side="right") - 1, 0, count - 1)
    found: list[Bin] = []
    for index in range(count):
        members = place == index
        if members.sum() >= _LEAST_IN_BIN:
            ends = mean_interval(psnr[members])
            mean_gamma, mean_psnr = float(gamma[members].mean()), float(psnr[members].mean())
            found.append(Bin(mean_gamma, mean_psnr, *ends, int(members.sum())))
    return found


def darkness_panels(view: SetView, number: int) -> list[Markup]:
    """One chart a method, in the table's order; empty where no scores by picture are known.

    Args:
        number: of the set on the page; the panels share one drawing, which needs a name of its own.
    """
    methods = {str(row["method"]): bins_of(view.per_image.get(row["method"])) for row in view.rows}
    methods = {name: bins for name, bins in methods.items() if len(bins) > 1}
    if not methods:
        return []
    trained = [methods[row["method"]] for row in view.trained if row["method"] in methods]
    spanning = [bin_ for bins in trained or methods.values() for bin_ in bins]
    drawn = [scores(view.per_image[name], "gamma") for name in methods]
    gammas = [float(gamma) for values in drawn if values is not None for gamma in values[np.isfinite(values)]]
    x = Scale(*padded(gammas, 0.02, 0.1), _LEFT, _WIDTH - _RIGHT)
    ends = padded([end for bin_ in spanning for end in (bin_.low, bin_.high)], 0.05, 1.0)
    y = Scale(*ends, _HEIGHT - _BOTTOM, _TOP)
    best = view.best["method"] if view.best is not None else None
    ground = _ground(methods, x, y, number)
    return [
        _panel(name, bins, x, y, number, ground if place == 0 else None, is_best=name == best)
        for place, (name, bins) in enumerate(methods.items())
    ]


def _ground(methods: Mapping[str, list[Bin]], x: Scale, y: Scale, number: int) -> Markup:
    """Axes and every method's line in grey: drawn once, used in each panel, cut off at its rim."""
    y_ticks, x_ticks = linear_ticks(y.low, y.high, 5), linear_ticks(x.low, x.high, 5)
    level = y_axis(y, y_ticks, _LEFT, _WIDTH - _RIGHT, [f"{tick:g}" for tick in y_ticks])
    upright = x_axis(x, x_ticks, _TOP, _HEIGHT - _BOTTOM, [f"{tick:g}" for tick in x_ticks])
    frame = tag("rect", x=_LEFT, y=_TOP, width=_WIDTH - _LEFT - _RIGHT, height=_HEIGHT - _TOP - _BOTTOM)
    clip = tag("clipPath", frame, id=f"frame-{number}")
    lines = [path([(x(bin_.gamma), y(bin_.psnr)) for bin_ in bins], "ghost") for bins in methods.values()]
    all_lines = tag("g", *lines, clip_path=f"url(#frame-{number})")
    name = text(_WIDTH - _RIGHT, _HEIGHT - 7, "darkness γ", "axis-name", "end")
    return tag(
        "defs", clip, tag("g", level, upright, all_lines, name, id=f"ground-{number}", class_="shared")
    )


def _panel(
    name: str, bins: list[Bin], x: Scale, y: Scale, number: int, ground: Markup | None, *, is_best: bool
) -> Markup:
    kind = "best" if is_best else "other"
    above = [(x(bin_.gamma), y(bin_.high)) for bin_ in bins]
    below = [(x(bin_.gamma), y(bin_.low)) for bin_ in reversed(bins)]
    points = [
        circle(
            x(bin_.gamma), y(bin_.psnr), 2.5, f"point {kind}",
            f"{name}, γ about {bin_.gamma:.1f}: {fixed(bin_.psnr, 2)} dB "
            f"[{fixed(bin_.low, 2)}, {fixed(bin_.high, 2)}], {bin_.images} pictures",
        )
        for bin_ in bins
    ]  # fmt: skip
    middle = path([(x(bin_.gamma), y(bin_.psnr)) for bin_ in bins], f"curve {kind}")
    own = tag("g", path([*above, *below], f"band {kind}", closed=True), middle, *points,
              clip_path=f"url(#frame-{number})")  # fmt: skip
    outside = max(bin_.psnr for bin_ in bins) < y.low
    mean = sum(bin_.psnr * bin_.images for bin_ in bins) / sum(bin_.images for bin_ in bins)
    says = text((_LEFT + _WIDTH) / 2, y.start - 14, f"↓ {fixed(mean, 1)} dB on average", "tick", "middle")
    heading = text(_LEFT, 11, shortened(name, 38), f"name {kind}")
    shared = tag("use", href=f"#ground-{number}")
    title = f"PSNR-Y of {name} over the darkness γ: " + join(
        ", ".join(f"{fixed(bin_.psnr, 1)} dB at {bin_.gamma:.1f}" for bin_ in bins)
    )
    return chart(
        _WIDTH, _HEIGHT, title, ground, shared, own, heading, says if outside else None, class_="chart panel"
    )

"""The figures of faces: one row per face, one column per method, and under each output its difference map.

Images are embedded without loss, so that methods are compared and not a codec. The difference maps are
embedded with loss.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lumiface.comparison.html.formats import finite, format_fixed
from lumiface.comparison.html.views import Face, SetView
from lumiface.figures.data_uri import data_uri
from lumiface.figures.markup import Markup, join, tag

Pixels = npt.NDArray[np.uint8]

DIFFERENCE_TOP = 64.0
"""Difference in 8-bit levels at which the maps are white."""

_RAMP = np.array([[8, 8, 12], [92, 38, 10], [196, 98, 20], [250, 196, 110], [255, 255, 255]], np.float64)
"""Evenly spaced colours of the difference map, from no difference on; each is lighter than the previous."""


def difference_map(output: Pixels, target: Pixels) -> Pixels:
    """|output − target|, mean of the channels: from black over brown to white at `DIFFERENCE_TOP`.

    Args:
        output, target: (H, W, 3).

    Returns:
        (H, W, 3).
    """
    difference = np.abs(output.astype(np.float64) - target.astype(np.float64)).mean(axis=2)
    return _ramp(np.minimum(difference / DIFFERENCE_TOP, 1.0))


def scale_bar() -> Markup:
    """The difference map's colours with their levels, as an image and text."""
    shades = np.repeat(_ramp(np.linspace(0.0, 1.0, 128)[None]), 2, axis=0)
    bar = tag("img", src=data_uri(shades), alt="from black over brown and orange to white", class_="bar")
    low, middle, high = (tag("span", f"{level:g}") for level in (0, DIFFERENCE_TOP / 2, DIFFERENCE_TOP))
    ends = tag("span", low, middle, join(high), class_="bar-ends")
    return tag("span", bar, ends, class_="scale-bar")


def picture_table(view: SetView) -> Markup | None:
    """The faces of one set; None where there are none. Every image is a button that enlarges it."""
    if not view.faces:
        return None
    available = {str(name) for face in view.faces for name in face["outputs"]}
    methods = [str(row["method"]) for row in view.rows if row["method"] in available]
    methods += sorted(available - set(methods))
    headings = [tag("th", "face", scope="col"), tag("th", "input", scope="col", class_="input")]
    headings += [tag("th", tag("span", name), scope="col") for name in methods]
    if view.faces[0]["target"] is not None:
        headings.append(tag("th", "ground truth", scope="col", class_="target"))
    rows = [_face_row(view, face, methods, number) for number, face in enumerate(view.faces)]
    caption = tag(
        "caption", f"Faces of {view.name}: input, every method, ground truth", class_="visually-hidden"
    )
    head = tag("thead", tag("tr", *headings))
    return tag("table", caption, head, tag("tbody", *rows), class_="faces")


def _face_row(view: SetView, face: Face, methods: list[str], number: int) -> Markup:
    target: Pixels | None = face["target"]
    shown = face["input"] if target is None else target
    gamma = finite(face.get("gamma"))
    heading = join(
        tag("b", f"{number + 1}"), None if gamma is None else tag("span", f"γ {format_fixed(gamma, 1)}")
    )
    cells = [tag("th", heading, scope="row", title=str(face["name"]))]
    cells.append(tag("td", _picture(face["input"], shown, "input", number), class_="input"))
    for name in methods:
        output: Pixels | None = face["outputs"].get(name)
        cells.append(tag("td", "–" if output is None else _output(view, face, name, output, number)))
    if target is not None:
        cells.append(tag("td", _picture(target, target, "ground truth", number), class_="target"))
    return tag("tr", *cells)


def _output(view: SetView, face: Face, name: str, output: Pixels, number: int) -> Markup:
    target: Pixels | None = face["target"]
    parts = [_picture(output, output if target is None else target, name, number)]
    if target is not None and output.shape == target.shape:
        source = data_uri(difference_map(output, target), lossless=False)
        parts.append(
            tag("img", src=source, alt=f"difference of {name}", class_="difference", **_size(target))
        )
    psnr = _psnr(view, name, str(face["name"]))
    if psnr is not None:
        parts.append(tag("span", format_fixed(psnr, 2), class_="under"))
    return join(*parts)


def _picture(pixels: Pixels, target: Pixels, name: str, number: int) -> Markup:
    """Shown at the size of the target, whatever its own."""
    image = tag("img", src=data_uri(pixels), alt=f"face {number + 1}, {name}", **_size(target))
    return tag("button", image, type="button", data_face=number, data_method=name)


def _size(pixels: Pixels) -> dict[str, int]:
    return {"width": pixels.shape[1], "height": pixels.shape[0]}


def _psnr(view: SetView, method: str, name: str) -> float | None:
    """The method's PSNR-Y on the image of that name."""
    scores = view.scores(method)
    values = scores.values("psnr_y")
    if name not in scores.names or len(scores.names) != len(values):
        return None
    return finite(values[scores.names.index(name)])


def _ramp(values: npt.NDArray[np.float64]) -> Pixels:
    """Values (H, W) in [0, 1] -> their colours (H, W, 3)."""
    stops = np.linspace(0.0, 1.0, len(_RAMP))
    channels = [np.interp(values, stops, _RAMP[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)

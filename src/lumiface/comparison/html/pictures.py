"""The figures of faces: one row a face, one column a method, and under each output where it is wrong.

Pictures are embedded without loss: who compares methods must not look at a codec's work. The difference maps,
which are drawings, are embedded with loss.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lumiface.comparison.html.formats import finite, fixed
from lumiface.comparison.html.markup import Markup, join, tag
from lumiface.comparison.html.views import Face, SetView
from lumiface.evaluation.bootstrap import scores

Pixels = npt.NDArray[np.uint8]

DIFFERENCE_TOP = 64.0
"""Levels of 255 at which the difference maps are white."""

_RAMP = np.array([[8, 8, 12], [92, 38, 10], [196, 98, 20], [250, 196, 110], [255, 255, 255]], np.float64)
"""The colours of the difference map, evenly spaced, from no difference on; each is lighter than the last."""


def difference_map(output: Pixels, target: Pixels) -> Pixels:
    """|output − target|, mean of the channels: from black over brown to white at `DIFFERENCE_TOP`.

    Args:
        output, target: (H, W, 3).

    Returns:
        (H, W, 3).
    """
    gap = np.abs(output.astype(np.float64) - target.astype(np.float64)).mean(axis=2)
    return _ramp(np.minimum(gap / DIFFERENCE_TOP, 1.0))


def data_uri(pixels: Pixels, *, lossless: bool = True) -> str:
    """A picture (H, W, 3) as a WebP inside its own address."""
    out = io.BytesIO()
    settings = {"lossless": True, "quality": 60} if lossless else {"quality": 80}
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, "WEBP", method=4, **settings)
    return "data:image/webp;base64," + base64.b64encode(out.getvalue()).decode("ascii")


def scale_bar() -> Markup:
    """The difference map's colours with their levels, as a picture and words."""
    shades = np.repeat(_ramp(np.linspace(0.0, 1.0, 128)[None]), 2, axis=0)
    bar = tag("img", src=data_uri(shades), alt="from black over brown and orange to white", class_="bar")
    low, middle, high = (tag("span", f"{level:g}") for level in (0, DIFFERENCE_TOP / 2, DIFFERENCE_TOP))
    ends = tag("span", low, middle, join(high), class_="bar-ends")
    return tag("span", bar, ends, class_="scale-bar")


def picture_table(view: SetView) -> Markup | None:
    """The faces of one set; None where there are none. Every picture is a button that shows it large."""
    if not view.faces:
        return None
    shown = {str(name) for face in view.faces for name in face["outputs"]}
    methods = [str(row["method"]) for row in view.rows if row["method"] in shown]
    methods += sorted(shown - set(methods))
    headings = [tag("th", "face", scope="col"), tag("th", "input", scope="col", class_="input")]
    headings += [tag("th", tag("span", name), scope="col") for name in methods]
    headings.append(tag("th", "truth", scope="col", class_="truth"))
    rows = [_face_row(view, face, methods, number) for number, face in enumerate(view.faces)]
    caption = tag("caption", f"Faces of {view.name}: input, every method, ground truth", class_="unseen")
    head = tag("thead", tag("tr", *headings))
    return tag("table", caption, head, tag("tbody", *rows), class_="faces")


def _face_row(view: SetView, face: Face, methods: list[str], number: int) -> Markup:
    high: Pixels = face["high"]
    gamma = finite(face.get("gamma"))
    about = join(tag("b", f"{number + 1}"), None if gamma is None else tag("span", f"γ {fixed(gamma, 1)}"))
    cells = [tag("th", about, scope="row", title=str(face["name"]))]
    cells.append(tag("td", _picture(face["low"], high, "input", number), class_="input"))
    for name in methods:
        output: Pixels | None = face["outputs"].get(name)
        cells.append(tag("td", "–" if output is None else _output(view, face, name, output, number)))
    cells.append(tag("td", _picture(high, high, "truth", number), class_="truth"))
    return tag("tr", *cells)


def _output(view: SetView, face: Face, name: str, output: Pixels, number: int) -> Markup:
    high: Pixels = face["high"]
    parts = [_picture(output, high, name, number)]
    if output.shape == high.shape:
        gap = data_uri(difference_map(output, high), lossless=False)
        parts.append(tag("img", src=gap, alt=f"where {name} is wrong", class_="gap", **_size(high)))
    psnr = _psnr(view.per_image.get(name), str(face["name"]))
    if psnr is not None:
        parts.append(tag("span", fixed(psnr, 2), class_="under"))
    return join(*parts)


def _picture(pixels: Pixels, high: Pixels, name: str, number: int) -> Markup:
    """Shown at the size of the bright picture, whatever its own."""
    image = tag("img", src=data_uri(pixels), alt=f"face {number + 1}, {name}", **_size(high))
    return tag("button", image, type="button", data_face=number, data_method=name)


def _size(pixels: Pixels) -> dict[str, int]:
    return {"width": pixels.shape[1], "height": pixels.shape[0]}


def _psnr(of_method: Mapping[str, Any] | None, name: str) -> float | None:
    """The method's PSNR-Y on the picture of that name."""
    measured, names = scores(of_method, "psnr_y"), (of_method or {}).get("names") or []
    if measured is None or name not in names or len(names) != len(measured):
        return None
    return finite(measured[list(names).index(name)])


def _ramp(share: npt.NDArray[np.float64]) -> Pixels:
    """Shares (H, W) in [0, 1] -> their colours (H, W, 3)."""
    stops = np.linspace(0.0, 1.0, len(_RAMP))
    channels = [np.interp(share, stops, _RAMP[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)

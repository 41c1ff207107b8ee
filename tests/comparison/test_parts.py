"""The parts of the comparison's report: bins, charts, images and markup."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from lumiface.comparison.html.cost import pareto
from lumiface.comparison.html.darkness import darkness_bins
from lumiface.comparison.html.labels import overlap, place_labels
from lumiface.comparison.html.pictures import DIFFERENCE_TOP, difference_map
from lumiface.comparison.html.svg import linear_ticks, log_ticks
from lumiface.evaluation.accumulate import ScoreAccumulator
from lumiface.figures.data_uri import data_uri
from lumiface.figures.markup import tag


def test_markup_escapes_all_but_markup() -> None:
    assert tag("b", 'a<"&', tag("i", 1), None, title='"x"', hidden=True, open=False, stroke_width=1.5) == (
        '<b title="&quot;x&quot;" hidden stroke-width="1.5">a&lt;&quot;&amp;<i>1</i></b>'
    )


def test_bins_contain_every_image_once() -> None:
    rng = np.random.default_rng(0)
    gamma, psnr = rng.uniform(1, 5, 400), rng.normal(20, 1, 400)
    lists = {"gamma": gamma.tolist(), "psnr_y": [*psnr[:-1].tolist(), None]}
    bins = darkness_bins(ScoreAccumulator.from_lists(lists))
    assert len(bins) == 8
    assert sum(part.images for part in bins) == 399
    total = sum(part.psnr * part.images for part in bins)
    assert total / 399 == pytest.approx(psnr[:-1].mean())
    assert all(part.low < part.psnr < part.high for part in bins)
    assert [part.gamma for part in bins] == sorted(part.gamma for part in bins)


def test_labels_neither_overlap_nor_leave_the_frame() -> None:
    rng = np.random.default_rng(0)
    frame = (0.0, 0.0, 560.0, 370.0)
    points = [(float(x), float(y)) for x, y in rng.uniform((20, 250), (540, 330), (18, 2))]
    names = [f"Method {number} + DLN"[: 6 + number] for number in range(18)]
    labels = place_labels(points, names, frame, obstacles=[(0.0, 240.0, 560.0, 242.0)])
    boxes = [label.box for label in labels if label is not None]
    assert len(boxes) >= 16
    dots = [(x - 4, y - 4, x + 4, y + 4) for x, y in points]
    for number, box in enumerate(boxes):
        assert frame[0] <= box[0] < box[2] <= frame[2]
        assert frame[1] <= box[1] < box[3] <= frame[3]
        assert not any(overlap(box, other) for other in [*boxes[:number], *dots, (0.0, 240.0, 560.0, 242.0)])


def test_a_label_without_room_is_omitted() -> None:
    assert place_labels([(10.0, 10.0)], ["much too long for this"], (0.0, 0.0, 40.0, 40.0)) == [None]


def test_pareto_omits_dominated_points() -> None:
    points = [(1.0, 20.0, {}), (2.0, 19.0, {}), (2.0, 21.0, {}), (3.0, 21.0, {}), (4.0, 22.0, {})]
    assert [point[:2] for point in pareto(points)] == [(1.0, 20.0), (2.0, 21.0), (4.0, 22.0)]


@pytest.mark.parametrize(
    ("ticks", "expected"),
    [
        (linear_ticks(-2.4, 0.9, 8), [-2, -1.5, -1, -0.5, 0, 0.5]),
        (linear_ticks(18.2, 26.9, 5), [20, 22, 24, 26]),
        (log_ticks(0.7, 33), [1, 2, 5, 10, 20]),
        (log_ticks(3e4, 4e7, 7), [3e4, 1e5, 3e5, 1e6, 3e6, 1e7, 3e7]),
        (log_ticks(1, 1e9, 4), [1, 1e3, 1e6, 1e9]),
    ],
)
def test_ticks_are_round(ticks: list[float], expected: list[float]) -> None:
    assert ticks == pytest.approx(expected)


def test_the_difference_map_becomes_lighter_up_to_its_maximum() -> None:
    target = np.zeros((1, 256, 3), np.uint8)
    output = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    shown = difference_map(output, target)[0].astype(int)
    luma = shown @ [0.299, 0.587, 0.114]
    top = int(DIFFERENCE_TOP)
    assert (np.diff(luma[: top + 1]) > 0).all()
    assert (shown[top:] == 255).all()
    assert (difference_map(target, output) == difference_map(output, target)).all()


def test_pictures_are_embedded_without_loss() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    head, _, body = data_uri(pixels).partition(",")
    assert head == "data:image/webp;base64"
    assert (np.asarray(Image.open(io.BytesIO(base64.b64decode(body)))) == pixels).all()

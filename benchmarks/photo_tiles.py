"""The sharp tiles on which lumiface-photo is trained, cut from scikit-image's pictures and from photographs.

    python benchmarks/photo_tiles.py --data-root DATA --out DATA

Writes `photo-tiles-train.tar` and `photo-tiles-val.tar`: square tiles, WebP lossless. A tile must be sharp at
its own size, so compressed photographs are reduced at least twice, and faces by 1.2 to 1.6, before they are
cut. No picture is in two of the sets training, validation and test (`TEST`, measured by `photo.py`).
"""

from __future__ import annotations

import argparse
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import skimage.data
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from lumiface.data.sources import open_source
from lumiface.degradations.resample import resize
from lumiface.imaging.io import decode_rgb8
from lumiface.imaging.quantize import from_uint8, to_uint8

SIDE = 160
"""Of a tile, pixels."""

SHIPPED = Path(skimage.data.__file__).parent
TEST = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
TEST_PHOTOS = (
    "photo_035.jpg",
    "photo_043.jpg",
    "photo_050.jpg",
    "photo_056.jpg",
    "photo_075.jpg",
    "photo_085.jpg",
)
VAL = ("coins.png",)
VAL_PHOTOS = ("photo_022.jpg", "photo_077.jpg", "photo_084.jpg")
TRAIN = (
    "brick.png",
    "camera.png",
    "cell.png",
    "clock_motion.png",
    "color.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "motorcycle_left.png",
    "page.png",
    "retina.jpg",
    "text.png",
)
OWN_SIZE = (1.0, 1.0, 1.25, 1.5, 2.0)
REDUCED = (2.0, 2.0, 2.5, 3.0)
"""By how much pictures are reduced: those that are sharp, and photographs whose quality is unknown."""

FLAT = 0.004
"""A tile whose mean absolute difference of neighbours is below this teaches nothing."""


PIXELATED = 0.25
"""Faces with a higher `pixelation` are left out: some were enlarged by repeated pixels."""


def pixelation(picture: Tensor) -> float:
    """Periodicity of the edges in a picture (1, 3, H, W), -1 to 1: along rows or along columns, the lesser.

    The autocorrelation at lags of 3 to 12 pixels; squares of equal pixels make it high along both axes.
    """
    found: list[float] = []
    grey = picture.mean(dim=(0, 1)).double()
    for plane in (grey, grey.T):
        edges = (plane[:, 1:] - plane[:, :-1]).abs().mean(dim=0)
        smooth = F.avg_pool1d(F.pad(edges[None, None], (10, 10), mode="replicate"), 21, 1)[0, 0]
        rest = edges - smooth
        energy = float((rest * rest).sum()) + 1e-12
        found.append(max(float((rest[:-lag] * rest[lag:]).sum()) / energy for lag in range(3, 13)))
    return min(found)


def cut(picture: Tensor, factors: tuple[float, ...], count: int, rng: np.random.Generator) -> list[Tensor]:
    """At most `count` tiles (3, SIDE, SIDE) uint8 of a picture (1, 3, H, W): random places and factors."""
    tiles: list[Tensor] = []
    reduced: dict[float, Tensor] = {}
    for _ in range(count):
        factor = float(rng.choice(factors))
        height, width = (round(side / factor) for side in picture.shape[-2:])
        if min(height, width) < SIDE:
            continue
        if factor not in reduced:
            reduced[factor] = picture if factor == 1.0 else resize(picture, (height, width)).clamp(0.0, 1.0)
        top, left = int(rng.integers(height - SIDE + 1)), int(rng.integers(width - SIDE + 1))
        tile = reduced[factor][0, :, top : top + SIDE, left : left + SIDE]
        if (tile[:, 1:] - tile[:, :-1]).abs().mean() > FLAT:
            tiles.append(to_uint8(tile.clone()))
    return tiles


def drawn(rng: np.random.Generator) -> Tensor:
    """Polygons, lines, discs and letters: edges of every direction, drawn at four times the size."""
    big = 4 * SIDE

    def colour() -> tuple[int, ...]:
        return tuple(int(value) for value in rng.integers(256, size=3))

    canvas = Image.new("RGB", (big, big), colour())
    pen = ImageDraw.Draw(canvas)
    for _ in range(int(rng.integers(4, 14))):
        points = [tuple(int(v) for v in rng.integers(-big // 8, big + big // 8, size=2)) for _ in range(4)]
        match int(rng.integers(4)):
            case 0:
                pen.polygon(points[:3], fill=colour())
            case 1:
                pen.line(points, fill=colour(), width=int(rng.integers(3, 40)))
            case 2:
                radius = int(rng.integers(10, big // 3))
                pen.circle(points[0], radius, fill=colour(), outline=colour(), width=int(rng.integers(1, 20)))
            case _:
                letters = "".join(chr(code) for code in rng.integers(48, 122, size=6))
                pen.text(points[0], letters, fill=colour(), font_size=int(rng.integers(50, 200)))
    return to_uint8(resize(from_uint8(np.asarray(canvas)), (SIDE, SIDE)))[0]


def shipped(names: tuple[str, ...]) -> Iterator[Tensor]:
    """Pictures of scikit-image by file name, (1, 3, H, W); grey ones with three equal channels."""
    for name in names:
        with Image.open(SHIPPED / name) as image:
            yield from_uint8(np.asarray(image.convert("RGB")))


def members(
    path: Path, rng: np.random.Generator, names: object = None, count: int = 10**9
) -> Iterator[Tensor]:
    """Pictures of a tar: those that `names` contains, or `count` at random."""
    source = open_source(path)
    chosen = [i for i, name in enumerate(source.names) if names is None or name in names]  # type: ignore[operator]
    for index in sorted(rng.permutation(chosen)[:count].tolist()):
        yield from_uint8(decode_rgb8(source.read(index), source.names[index]))


def write(path: Path, tiles: list[Tensor]) -> None:
    with tarfile.open(path, "w") as archive:
        for number, tile in enumerate(tiles):
            data = io.BytesIO()
            Image.fromarray(tile.permute(1, 2, 0).numpy()).save(data, "webp", lossless=True, method=2)
            entry = tarfile.TarInfo(f"{number:05d}.webp")
            entry.size = data.tell()
            data.seek(0)
            archive.addfile(entry, data)
    print(f"{path}: {len(tiles)} tiles")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    photos = args.data_root / "real-degraded.tar"
    held_out = {*VAL_PHOTOS, *TEST_PHOTOS}
    photo_names = {n for n in open_source(photos).names if n.startswith("photo_")} - held_out

    train: list[Tensor] = []
    for picture in shipped(TRAIN):
        train += cut(picture, OWN_SIZE, 110, rng)
    for picture in members(photos, rng, photo_names):
        train += cut(picture, REDUCED, 90, rng)
    print(f"{len(train)} tiles of pictures and photographs")
    for path in sorted(args.data_root.glob("faces256-train-*.tar")):
        for picture in members(path, rng, count=200):
            if pixelation(picture) < PIXELATED:
                train += cut(picture, (1.2, 1.4, 1.6), 1, rng)
    train += [drawn(rng) for _ in range(400)]

    val: list[Tensor] = []
    for picture in shipped(VAL):
        val += cut(picture, (1.0, 1.5), 20, rng)
    for picture in members(photos, rng, VAL_PHOTOS):
        val += cut(picture, REDUCED, 24, rng)
    for picture in members(args.data_root / "faces256-val.tar", rng, count=40):
        val += cut(picture, (1.2,), 1, rng)
    args.out.mkdir(parents=True, exist_ok=True)
    write(args.out / "photo-tiles-train.tar", train)
    write(args.out / "photo-tiles-val.tar", val)


if __name__ == "__main__":
    main()

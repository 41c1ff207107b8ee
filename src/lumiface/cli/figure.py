"""`lumiface figure`: the papers' explanatory figures, from any photograph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from torch import Tensor

figure = typer.Typer(
    help="Draw what the papers explain, from any photograph.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Photo = Annotated[
    Path | None, typer.Argument(metavar="[PICTURE]", help="a photograph; none: the one that comes along")
]


@figure.command()
def histogram(
    picture: Photo = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="the figure, in the format of its suffix")
    ] = Path("out/histogram.png"),
    alpha: Annotated[float, typer.Option(min=0.01, max=1, help="darkening: α in β (α I)^γ")] = 0.95,
    beta: Annotated[float, typer.Option(min=0.01, max=1, help="darkening: β")] = 0.6,
    gamma: Annotated[
        float, typer.Option(min=0.1, max=10, help="darkening: γ; 1 is light, 5 very dark")
    ] = 3.0,
    seed: Annotated[int, typer.Option(min=0, help="of the darkening's noise")] = 0,
) -> None:
    """Colour histograms of a picture in the light and in the dark.

    With the mean of each channel, as in LFSRNet's Fig. 2.
    """
    import torch

    from lumiface.degradations.lowlight import PAPER_NOISE, darken
    from lumiface.figures.histogram import histogram_figure
    from lumiface.imaging.io import Picture, write_picture

    light, _ = _open(picture)
    settings = (torch.tensor([number]) for number in (alpha, beta, gamma))
    dark = darken(light, *settings, noise=PAPER_NOISE, generator=torch.Generator().manual_seed(seed))
    labels = ("in the light", f"in the dark, gamma {gamma:g}")
    write_picture(Picture(histogram_figure(light, dark, labels)), output)
    typer.echo(str(output))


@figure.command()
def masks(
    picture: Photo = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="the figure, in the format of its suffix")
    ] = Path("out/masks.png"),
    ratio: Annotated[float, typer.Option(min=0, max=1, help="share of the face's pixels that count")] = 0.5,
    block_side: Annotated[
        float, typer.Option(min=0.01, max=1, help="side of a block, as a share of the face's")
    ] = 0.25,
    seed: Annotated[int, typer.Option(min=0, help="of the masks")] = 0,
) -> None:
    """A face under the two masks of faceMaskLoss.

    The largest face of the picture, a block mask and a pixel mask, as in LFSRNet's Fig. 5.
    """
    from lumiface.core.errors import InputError
    from lumiface.faces.detect import FaceDetector
    from lumiface.faces.find import find_faces
    from lumiface.figures.masks import mask_figure
    from lumiface.imaging.io import Picture, write_picture

    rgb, name = _open(picture)
    faces = find_faces(rgb, FaceDetector().eval(), which="largest")
    if not faces:
        raise InputError(f"{name}: no face found; choose a picture with a face of 20 pixels or more")
    drawn = mask_figure(rgb, faces[0].box, ratio=ratio, seed=seed, block_side=block_side)
    write_picture(Picture(drawn), output)
    typer.echo(str(output))


def _open(picture: Path | None) -> tuple[Tensor, str]:
    """The picture (1, 3, H, W), or the photograph that comes with the package, and its name."""
    from importlib import resources

    from lumiface.imaging.io import decode_rgb8, read_picture
    from lumiface.imaging.quantize import from_uint8

    if picture is not None:
        return read_picture(picture).rgb, str(picture)
    bundled = resources.files("lumiface.restore") / "demo_data" / "astronaut.jpg"
    return from_uint8(decode_rgb8(bundled.read_bytes(), bundled.name)), bundled.name

"""`lumiface figure`: the papers' explanatory figures, for any photograph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from torch import Tensor

figure = typer.Typer(
    help="Explanatory figures of the papers, for any photograph.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Photo = Annotated[
    Path | None, typer.Argument(metavar="[PICTURE]", help="a photograph; default: the bundled one")
]


@figure.command()
def histogram(
    picture: Photo = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="the figure; the suffix decides the format")
    ] = Path("out/histogram.png"),
    alpha: Annotated[float, typer.Option(min=0.01, max=1, help="darkening: α in β (α I)^γ")] = 0.95,
    beta: Annotated[float, typer.Option(min=0.01, max=1, help="darkening: β")] = 0.6,
    gamma: Annotated[float, typer.Option(min=0.1, max=10, help="darkening: γ; 1: light, 5: very dark")] = 3.0,
    seed: Annotated[int, typer.Option(min=0, help="of the darkening's noise")] = 0,
) -> None:
    """Colour histograms of a picture before and after darkening.

    With the mean of each channel, as in LFSRNet's Fig. 2.
    """
    import torch

    from lumiface.degradations.lowlight import PAPER_NOISE, darken
    from lumiface.figures.histogram import histogram_figure
    from lumiface.imaging.io import Picture, write_picture

    original, _ = _open(picture)
    parameters = (torch.tensor([value]) for value in (alpha, beta, gamma))
    dark = darken(original, *parameters, noise=PAPER_NOISE, generator=torch.Generator().manual_seed(seed))
    labels = ("original", f"darkened, gamma {gamma:g}")
    write_picture(Picture(histogram_figure(original, dark, labels)), output)
    typer.echo(str(output))


@figure.command()
def masks(
    picture: Photo = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="the figure; the suffix decides the format")
    ] = Path("out/masks.png"),
    ratio: Annotated[
        float, typer.Option(min=0, max=1, help="fraction of the face's pixels that are kept")
    ] = 0.5,
    block_side: Annotated[
        float, typer.Option(min=0.01, max=1, help="side of a block, as a fraction of the face's side")
    ] = 0.25,
    seed: Annotated[int, typer.Option(min=0, help="of the masks")] = 0,
) -> None:
    """A face with the two masks of faceMaskLoss.

    The largest face of the picture, a block mask and a pixel mask, as in LFSRNet's Fig. 5.
    """
    from lumiface.core.errors import InputError
    from lumiface.faces.detectors.detect import FaceDetector
    from lumiface.faces.find import find_faces
    from lumiface.figures.masks import mask_figure
    from lumiface.imaging.io import Picture, write_picture

    rgb, name = _open(picture)
    faces = find_faces(rgb, FaceDetector().eval(), which="largest")
    if not faces:
        raise InputError(f"{name}: no face found; choose a picture with a face of 20 pixels or more")
    sheet = mask_figure(rgb, faces[0].box, ratio=ratio, seed=seed, block_side=block_side)
    write_picture(Picture(sheet), output)
    typer.echo(str(output))


def _open(picture: Path | None) -> tuple[Tensor, str]:
    """The picture (1, 3, H, W), or the package's photograph, and its name."""
    from importlib import resources

    from lumiface.imaging.io import decode_rgb8, read_picture
    from lumiface.imaging.quantize import from_uint8

    if picture is not None:
        return read_picture(picture).rgb, str(picture)
    bundled = resources.files("lumiface.restoration") / "demo_data" / "astronaut.jpg"
    return from_uint8(decode_rgb8(bundled.read_bytes(), bundled.name)), bundled.name

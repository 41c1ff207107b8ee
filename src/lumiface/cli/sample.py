"""`lumiface sample`: a sheet of faces that a generator draws from nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sample(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="the sheet, e.g. faces.png")],
    model: Annotated[
        str, typer.Argument(help="a generator that ships, or a file that `lumiface train` wrote")
    ] = "stylegan2-64",
    count: Annotated[int, typer.Option(min=1, max=10_000, help="how many faces")] = 64,
    ways: Annotated[
        int, typer.Option(min=0, max=1000, help="so many ways from one face to another, a row each, instead")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="number of the first face")] = 0,
    truncation: Annotated[
        float, typer.Option(min=0, max=1, help="1: all that it knows; less: nearer to the mean face, cleaner")
    ] = 0.7,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps")] = "auto",
) -> None:
    """Draw faces of nobody, from a trained generator."""
    import math

    from lumiface.core.device import choose_device
    from lumiface.figures.grid import picture_grid
    from lumiface.imaging.io import Picture, write_picture
    from lumiface.restore.face_generator import FaceGenerator

    generator = FaceGenerator(model, truncation, choose_device(device))
    columns = 9 if ways else math.ceil(math.sqrt(count))
    faces = generator.interpolate(ways, columns, seed) if ways else generator.faces(count, seed)
    write_picture(Picture(picture_grid(faces.cpu(), columns)), output)
    what = f"{ways} ways between faces" if ways else f"{count} faces"
    typer.echo(f"{what} of {generator.side}x{generator.side} pixels, truncation {truncation:g}: {output}")

"""`lumiface sample`: a contact sheet of synthetic faces from a trained generator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sample(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="the contact sheet, e.g. faces.png")
    ],
    model: Annotated[
        str,
        typer.Argument(
            help="a shipped generator, a file written by `lumiface train`, or an official StyleGAN2"
        ),
    ] = "stylegan2-64",
    count: Annotated[int, typer.Option(min=1, max=10_000, help="number of faces")] = 64,
    interpolate: Annotated[
        int,
        typer.Option(
            min=0,
            max=1000,
            metavar="N",
            help="instead: N rows of latent interpolations, each between two faces",
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="seed of the first face; the next ones follow")] = 0,
    truncation: Annotated[
        float,
        typer.Option(min=0, max=1, help="1: the full distribution; less: less varied, fewer artefacts"),
    ] = 0.7,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps")] = "auto",
) -> None:
    """Sample synthetic faces from a trained generator."""
    import math

    from lumiface.core.device import choose_device
    from lumiface.figures.grid import picture_grid
    from lumiface.imaging.io import Picture, write_picture
    from lumiface.restoration.face_generator import FaceGenerator

    generator = FaceGenerator(model, truncation, choose_device(device))
    if interpolate:
        columns, content = 9, f"{interpolate} interpolations"
        faces = generator.interpolate(interpolate, columns, seed)
    else:
        columns, content = math.ceil(math.sqrt(count)), f"{count} faces"
        faces = generator.faces(count, seed)
    write_picture(Picture(picture_grid(faces.cpu(), columns)), output)
    size = generator.resolution
    typer.echo(f"{content} at {size}x{size} pixels, truncation {truncation:g}: {output}")

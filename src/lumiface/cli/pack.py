"""`lumiface pack-faces`: training faces as one small file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lumiface.cli.shared import SkipBad


def pack_faces(
    sources: Annotated[
        list[str], typer.Argument(metavar="SRC", help="square faces: folders, tars, packs, globs")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="the pack to write")],
    max_mib: Annotated[
        float, typer.Option("--max-mib", min=0.001, help="the most that the pack may hold, MiB")
    ] = 46.0,
    picture_format: Annotated[
        Literal["avif", "webp"],
        typer.Option("--format", help="avif: smaller; webp: faster to write"),
    ] = "avif",
    side: Annotated[int | None, typer.Option(min=16, help="reduce larger faces to this side, pixels")] = None,
    skip_bad: SkipBad = False,
) -> None:
    """Compress training faces into one small file.

    Training reads it like a tar. The encoder's quality is the highest at which all faces fit.
    """
    from lumiface.data.training.pack import pack_faces as pack

    report = pack(
        sources,
        output,
        max_bytes=int(max_mib * 2**20),
        picture_format=picture_format,
        side=side,
        skip_bad=skip_bad,
        log=typer.echo,
    )
    typer.echo(
        f"{report.faces} faces, {report.size / 2**20:.2f} MiB, {picture_format} quality {report.quality},"
        f" PSNR {report.psnr:.2f} dB: {output}"
    )

"""`lumiface prepare-meshes` and `pack-faces`: 3D landmarks of training faces; faces as one small file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lumiface.cli.shared import BAD_INPUT, SkipBad, print_error

_MAX_LINES = 10  # of each kind of failure


def prepare_meshes(
    sources: Annotated[
        list[str], typer.Argument(metavar="SRC", help="faces: folders, tars, pictures, globs")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="the .npz file to write, or to extend")
    ],
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="face_landmarker.task; default: found in the folder of assets"),
    ] = None,
) -> None:
    """Detect 468 3D landmarks of each face.

    Needs pip install 'lumiface[landmarks]' and MediaPipe's model face_landmarker.task. Each picture must show
    one upright face. An interrupted run resumes; pictures in the file are not processed again.
    """
    from lumiface.cli.progress import progress_bar
    from lumiface.data.sources import open_source
    from lumiface.geometry.landmarker import MediaPipeLandmarker
    from lumiface.geometry.prepare import prepare_meshes as prepare
    from lumiface.imaging.io import decode_rgb8

    pictures = open_source(sources)
    names = pictures.names
    with MediaPipeLandmarker(model) as landmarker, progress_bar("detecting landmarks") as progress:
        result = prepare(
            names,
            lambda number: decode_rgb8(pictures.read(number), names[number]),
            landmarker,
            output,
            progress=progress,
        )
    requested = set(names)
    found = sum(name in requested for name in result.meshes)
    missed = [f"{name}: no face found" for name in result.meshes.missed if name in requested]
    typer.echo(f"{found} of {len(names)} faces in {output}")
    for lines in (result.failed, missed):
        for line in lines[:_MAX_LINES]:
            print_error(line)
        if len(lines) > _MAX_LINES:
            print_error(f"... and {len(lines) - _MAX_LINES} more like the last")
    if result.failed or missed:
        raise typer.Exit(BAD_INPUT)


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

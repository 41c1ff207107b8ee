"""`lumiface prepare-meshes`: the points of many faces, for training with depth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lumiface.cli.shared import BAD_INPUT, print_error

_SHOWN = 10  # lines of each kind of failure


def prepare_meshes(
    sources: Annotated[
        list[str], typer.Argument(metavar="SRC...", help="faces: folders, tars, pictures, globs")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="the .npz to write or to add to")
    ],
    model: Annotated[
        Path | None, typer.Option(metavar="FILE", help="face_landmarker.task; default: where assets are")
    ] = None,
) -> None:
    """Find 468 points of each face, in 3D.

    Needs pip install 'lumiface[landmarks]' and MediaPipe's model face_landmarker.task.
    One face a picture, upright. A run that was stopped goes on; pictures in the file are not measured again.
    """
    from lumiface.cli.progress import progress_bar
    from lumiface.data.sources import open_source
    from lumiface.geometry.landmarker import MediaPipeLandmarker
    from lumiface.geometry.prepare import prepare_meshes as prepare
    from lumiface.imaging.io import decode_rgb8

    pictures = open_source(sources)
    names = pictures.names
    with MediaPipeLandmarker(model) as landmarker, progress_bar("measuring") as advance:
        result = prepare(
            names,
            lambda number: decode_rgb8(pictures.read(number), names[number]),
            landmarker,
            output,
            progress=advance,
        )
    wanted = set(names)
    found = sum(name in wanted for name in result.meshes)
    missed = [f"{name}: no face found" for name in result.meshes.missed if name in wanted]
    typer.echo(f"{found} of {len(names)} faces in {output}")
    for lines in (result.failed, missed):
        for line in lines[:_SHOWN]:
            print_error(line)
        if len(lines) > _SHOWN:
            print_error(f"... and {len(lines) - _SHOWN} more like the last")
    if result.failed or missed:
        raise typer.Exit(BAD_INPUT)

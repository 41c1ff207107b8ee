"""`lumiface video`: restoration of a video."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lumiface.cli.shared import INTERRUPTED, Device, Model, checked, print_error


def video(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="a video of any kind that FFmpeg reads")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="the result: .mp4, .mkv or .mov")
    ],
    model: Model = None,
    task: Annotated[str | None, typer.Option()] = None,
    scale: Annotated[int | None, typer.Option()] = None,
    strength: Annotated[float | None, typer.Option()] = None,
    fidelity: Annotated[float | None, typer.Option()] = None,
    background: Annotated[str | None, typer.Option()] = None,
    background_model: Annotated[str | None, typer.Option(metavar="FILE")] = None,
    faces: Annotated[str | None, typer.Option()] = None,
    min_face: Annotated[float | None, typer.Option()] = None,
    detector: Annotated[str | None, typer.Option()] = None,
    runtime: Annotated[str | None, typer.Option()] = None,
    precision: Annotated[str | None, typer.Option()] = None,
    mark: Annotated[bool | None, typer.Option("--mark/--no-mark")] = None,
    quality: Annotated[
        float, typer.Option(min=0, max=51, help="of the H.264 stream, x264's CRF; smaller is better")
    ] = 16.0,
    device: Device = "auto",
    max_output_megapixels: Annotated[float | None, typer.Option()] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace an existing result")] = False,
) -> None:
    """Restore a video, held steady from frame to frame.

    Faces are followed, and their light and detail do not flicker. Sound, subtitles and the times of the
    frames are kept. After an interruption the same command goes on with the rest.
    """
    from lumiface.cli.progress import progress_bar
    from lumiface.core.device import choose_device
    from lumiface.restoration.config import RestoreConfig
    from lumiface.restoration.restorer import Restorer
    from lumiface.video.convert import restore_video

    options: dict[str, Any] = {
        "task": task,
        "scale": scale,
        "strength": strength,
        "fidelity": fidelity,
        "background": background,
        "background_model": background_model,
        "faces": faces,
        "min_face": min_face,
        "detector": detector,
        "mark": mark,
        "runtime": runtime,
        "precision": precision,
        "max_output_megapixels": max_output_megapixels,
    }
    config = checked(RestoreConfig, options)
    restorer = Restorer(model, config, choose_device(device))
    finished = 0
    with progress_bar("frames") as progress:

        def advance(done: int, total: int, now: str) -> None:
            nonlocal finished
            finished = done
            progress(done, total, now)

        try:
            summary = restore_video(
                source, output, restorer, quality=quality, overwrite=overwrite, progress=advance
            )
        except KeyboardInterrupt:
            print_error(f"stopped after frame {finished}; the same command goes on with the rest")
            raise typer.Exit(INTERRUPTED) from None
    resumed = f", {summary.resumed} of them by an earlier run" if summary.resumed else ""
    typer.echo(f"{summary.target}: {summary.frames} frames{resumed}, enlarged x{summary.scale}")
    for note in summary.notes:
        print_error(note)

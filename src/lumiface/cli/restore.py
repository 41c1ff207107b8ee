"""`lumiface restore`: restoration of photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lumiface.cli.batch_report import report as print_report
from lumiface.cli.batch_run import Place, ReportPaths, run_batch
from lumiface.cli.pipes import Pipes, are_urls, refuse_missing
from lumiface.cli.shared import Device, Model
from lumiface.core.errors import SettingError


def restore(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help="pictures, folders (recursive), globs, or - for standard input"),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="folder of the results, for one picture a file, or - for standard output; default: next to "
            "each input",
        ),
    ] = None,
    model: Model = None,
    task: Annotated[str | None, typer.Option()] = None,
    scale: Annotated[int | None, typer.Option()] = None,
    strength: Annotated[float | None, typer.Option()] = None,
    fidelity: Annotated[float | None, typer.Option()] = None,
    refine: Annotated[int | None, typer.Option()] = None,
    colour: Annotated[bool | None, typer.Option("--colour")] = None,
    background: Annotated[str | None, typer.Option()] = None,
    background_model: Annotated[str | None, typer.Option(metavar="FILE")] = None,
    faces: Annotated[str | None, typer.Option()] = None,
    min_face: Annotated[float | None, typer.Option()] = None,
    detector: Annotated[str | None, typer.Option()] = None,
    box: Annotated[
        list[str] | None,
        typer.Option(metavar="X,Y,W,H", help="box of a face in pixels; replaces face detection; repeatable"),
    ] = None,
    save_prior: Annotated[bool | None, typer.Option("--save-prior")] = None,
    device: Device = "auto",
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="processes for many pictures; default: what cores and memory allow"),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="restore on a Ray cluster (extra `cluster`); local: workers on this machine; inputs and "
            "output may be URLs of buckets",
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="also write a contact sheet (.png or .jpg): every picture before and after, with its faces",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="also write how far every face can be trusted: a page (.html) or for programs (.json); slow",
        ),
    ] = None,
    guard: Annotated[bool | None, typer.Option("--guard/--no-guard")] = None,
    trust: Annotated[str | None, typer.Option()] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace existing results")] = False,
    quality: Annotated[int, typer.Option(min=1, max=100, help="quality of JPEG and WebP results")] = 95,
    max_megapixels: Annotated[
        float, typer.Option(help="larger inputs are refused before they are decoded")
    ] = 200.0,
    max_output_megapixels: Annotated[float | None, typer.Option()] = None,
    mark: Annotated[bool | None, typer.Option("--mark/--no-mark")] = None,
    runtime: Annotated[str | None, typer.Option()] = None,
    precision: Annotated[str | None, typer.Option()] = None,
) -> None:
    """Restore dark, small or degraded photographs of people.

    The result of party.jpg is party_lumiface.jpg next to it; with -o, file names and folders are kept.
    Existing results are skipped, and a failed input does not stop the others. `restore - < in.jpg > out.jpg`
    works, too.
    """
    urls = are_urls(inputs, output)
    if urls and cluster is None:
        cluster = "local"
    if not urls and (code := refuse_missing(inputs)) is not None:
        raise typer.Exit(code)
    options: dict[str, Any] = {
        "task": task,
        "scale": scale,
        "strength": strength,
        "fidelity": fidelity,
        "refine": refine,
        "colour": colour,
        "background": background,
        "background_model": background_model,
        "faces": faces,
        "min_face": min_face,
        "detector": detector,
        "save_prior": save_prior,
        "max_output_megapixels": max_output_megapixels,
        "mark": mark,
        "guard": guard,
        "trust": trust,
        "runtime": runtime,
        "precision": precision,
    }
    batch: dict[str, Any] = {
        "overwrite": overwrite,
        "quality": quality,
        "boxes": [_box(text) for text in box or []],
        "max_megapixels": max_megapixels,
    }
    with Pipes([] if urls else inputs, None if urls or output is None else Path(output)) as pipes:
        place = Place(device, jobs, cluster, (tuple(inputs), str(output)) if urls else None)
        summary = run_batch(pipes, model, options, place, ReportPaths(sheet, report), batch)
        pipes.send(summary.restored)
        print_report(summary, pipes)
    raise typer.Exit(summary.exit_code)


def _box(text: str) -> tuple[float, float, float, float]:
    try:
        x, y, width, height = (float(number) for number in text.split(","))
    except ValueError:
        raise SettingError(f"--box {text}: need four numbers, x,y,width,height in pixels") from None
    return x, y, width, height

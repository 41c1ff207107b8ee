"""`lumiface restore`: photographs in, brighter and larger photographs out."""

from __future__ import annotations

import sys
import traceback
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lumiface.cli.shared import checked, print_error
from lumiface.core.errors import InputError, OutputError, SettingError

if TYPE_CHECKING:
    from rich.table import Table

    from lumiface.restore.batch import Summary

MOST_LINES = 10
"""So many results and notes are named one by one; of more, only their number."""

WAYS = {
    "restored": "drawn by the network",
    "lit": "large: given light, their own detail kept",
}


def restore(
    inputs: Annotated[list[str], typer.Argument(help="pictures, folders (with all below them), globs")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="folder for the results (for one picture also a file); default: beside it"
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="a name that `lumiface models` lists, or a file; default: the best")
    ] = None,
    task: Annotated[str | None, typer.Option()] = None,
    scale: Annotated[int | None, typer.Option()] = None,
    strength: Annotated[float | None, typer.Option()] = None,
    fidelity: Annotated[float | None, typer.Option()] = None,
    refine: Annotated[int | None, typer.Option()] = None,
    colour: Annotated[bool | None, typer.Option("--colour")] = None,
    background: Annotated[str | None, typer.Option()] = None,
    faces: Annotated[str | None, typer.Option()] = None,
    min_face: Annotated[float | None, typer.Option()] = None,
    box: Annotated[
        list[str] | None, typer.Option(help="x,y,w,h of a face, pixels, instead of searching; repeatable")
    ] = None,
    save_prior: Annotated[bool | None, typer.Option("--save-prior")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="make results again that are there")] = False,
    quality: Annotated[int, typer.Option(min=1, max=100, help="of JPEG and WebP")] = 95,
    max_megapixels: Annotated[float, typer.Option(help="larger inputs are refused unread")] = 200.0,
    max_output_megapixels: Annotated[float | None, typer.Option()] = None,
) -> None:
    """Restore dark or small photographs of people.

    party.jpg becomes party_lumiface.jpg beside it; with -o, names and folders stay as they are. What is done
    already is not done again, and one bad file does not stop the others.
    """
    from rich.console import Console

    from lumiface.cli.progress import progress_bar
    from lumiface.core.device import choose_device
    from lumiface.restore.batch import Summary, run_jobs
    from lumiface.restore.jobs import plan
    from lumiface.restore.restorer import RestoreConfig, Restorer

    config = checked(
        RestoreConfig,
        {
            "task": task,
            "scale": scale,
            "strength": strength,
            "fidelity": fidelity,
            "refine": refine,
            "colour": colour,
            "background": background,
            "faces": faces,
            "min_face": min_face,
            "save_prior": save_prior,
            "max_output_megapixels": max_output_megapixels,
        },
    )
    boxes = [_box(text) for text in box or []]
    where = choose_device(device)
    try:
        jobs = plan(inputs, output)
        restorer = Restorer(model, config, str(where)) if jobs.todo else None
    except (InputError, OutputError) as error:  # no such model, no such output folder: nothing can be done
        raise SettingError(str(error)) from error
    summary = Summary.before(jobs)
    if restorer is not None:
        with progress_bar("restoring") as advance:
            restorer.tell = lambda words: advance(None, None, words)
            summary = run_jobs(
                jobs,
                restorer,
                overwrite=overwrite,
                quality=quality,
                boxes=boxes,
                max_megapixels=max_megapixels,
                progress=lambda done, total, path: advance(done, total, path.name),
            )
    if len(summary.restored) <= MOST_LINES:
        for path in summary.restored:
            typer.echo(str(path))
    if summary.restored or summary.skipped:
        Console().print(_table(summary))
    for fault in summary.faults:
        traceback.print_exception(fault, file=sys.stderr)
    for line in summary.failed:
        print_error(line)
    raise typer.Exit(summary.exit_code)


def _table(summary: Summary) -> Table:
    """What was done, in a few lines."""
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("restored", str(len(summary.restored)))
    for reason, count in Counter(summary.skipped.values()).items():
        mend = "; --overwrite makes them again" if reason == "already there" else ""
        table.add_row("skipped", str(count), reason + mend)
    if summary.failed:
        table.add_row("failed", str(len(summary.failed)), "listed below")
    table.add_row("faces", str(summary.faces.total()))
    for way, count in summary.faces.most_common():
        table.add_row(f"  {way}", str(count), WAYS.get(way))
    for note, count in summary.notes.most_common(MOST_LINES):
        table.add_row("pictures", str(count), Text(note))
    return table


def _box(text: str) -> tuple[float, float, float, float]:
    try:
        x, y, width, height = (float(number) for number in text.split(","))
    except ValueError:
        raise SettingError(f"--box {text}: give four numbers, x,y,width,height in pixels") from None
    return x, y, width, height

"""`lumiface restore`: restoration of photographs."""

from __future__ import annotations

import sys
import traceback
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lumiface.cli.pipes import Pipes, refuse_missing
from lumiface.cli.shared import INTERRUPTED, checked, print_error
from lumiface.core.errors import InputError, OutputError, SettingError

if TYPE_CHECKING:
    from rich.table import Table

    from lumiface.restoration.batch import Summary
    from lumiface.restoration.config import RestoreConfig
    from lumiface.restoration.restorer import Restorer

MAX_LINES = 10
"""The maximum number of results and notes that are listed one by one."""

TREATMENTS = {
    "restored": "output of the network",
    "relit": "brightened, with their own detail, in full or by half",
    "unchanged": "enough light and detail: nothing to do",
}


def restore(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help="pictures, folders (recursive), globs, or - for standard input"),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="folder of the results, for one picture a file, or - for standard output; default: next to "
            "each input",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="a name listed by `lumiface models`, or a file; default: the best for the task"),
    ] = None,
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
    box: Annotated[
        list[str] | None,
        typer.Option(metavar="X,Y,W,H", help="box of a face in pixels; replaces face detection; repeatable"),
    ] = None,
    save_prior: Annotated[bool | None, typer.Option("--save-prior")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="processes for many pictures; default: what cores and memory allow"),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="also write a contact sheet (.png or .jpg): every picture before and after, with its faces",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace existing results")] = False,
    quality: Annotated[int, typer.Option(min=1, max=100, help="quality of JPEG and WebP results")] = 95,
    max_megapixels: Annotated[
        float, typer.Option(help="larger inputs are refused before they are decoded")
    ] = 200.0,
    max_output_megapixels: Annotated[float | None, typer.Option()] = None,
) -> None:
    """Restore dark, small or degraded photographs of people.

    The result of party.jpg is party_lumiface.jpg next to it; with -o, file names and folders are kept.
    Existing results are skipped, and a failed input does not stop the others. `restore - < in.jpg > out.jpg`
    works, too.
    """
    if (code := refuse_missing(inputs)) is not None:
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
        "save_prior": save_prior,
        "max_output_megapixels": max_output_megapixels,
    }
    batch: dict[str, Any] = {
        "overwrite": overwrite,
        "quality": quality,
        "boxes": [_box(text) for text in box or []],
        "max_megapixels": max_megapixels,
    }
    with Pipes(inputs, output) as pipes:
        summary = _restore(pipes, model, options, device, jobs, sheet, batch)
        pipes.send(summary.restored)
        _report(summary, pipes)
    raise typer.Exit(summary.exit_code)


def _restore(
    pipes: Pipes,
    model: str | None,
    options: dict[str, Any],
    device: str,
    processes: int | None,
    sheet: Path | None,
    batch: dict[str, Any],
) -> Summary:
    """Plan and run the batch; Ctrl-C ends it with a line on what is done and how to go on."""
    from lumiface.cli.progress import progress_bar
    from lumiface.core.device import choose_device
    from lumiface.restoration.batch import Summary, run_jobs
    from lumiface.restoration.config import RestoreConfig
    from lumiface.restoration.files.jobs import plan_jobs
    from lumiface.restoration.restorer import Restorer
    from lumiface.restoration.sheet import ContactSheet
    from lumiface.restoration.workers import Workers, choose_count

    config = checked(RestoreConfig, options)
    torch_device = choose_device(device)
    contact_sheet = ContactSheet(sheet) if sheet is not None else None
    try:
        jobs = plan_jobs(pipes.inputs, pipes.output)
        if contact_sheet is not None:
            contact_sheet.refuse_inputs(job.source for job in jobs.todo)
        restorer = Restorer(model, config, str(torch_device)) if jobs.todo else None
    except (InputError, OutputError) as error:  # the model or the output folder: no input can be restored
        raise SettingError(str(error)) from error
    if restorer is None:
        return Summary.of_jobs(jobs)
    count = choose_count(processes, len(jobs.todo), torch_device)
    factory = partial(restorer_of_process, model, config, str(torch_device))
    finished = 0
    with progress_bar("restoring") as progress:
        restorer.log = lambda line: progress(None, None, line)
        restorer.warn = lambda line: print_error(pipes.named(line))

        def advance(done: int, total: int, path: Path) -> None:
            nonlocal finished
            finished = done
            progress(done, total, path.name)

        try:
            return run_jobs(
                jobs,
                restorer,
                progress=advance,
                sheet=contact_sheet,
                workers=Workers(count, factory) if count > 1 else None,
                **batch,
            )
        except KeyboardInterrupt:
            print_error(
                f"stopped: {finished} of {len(jobs.todo)} pictures done, no file half written; "
                "the same command goes on with the rest"
            )
            raise typer.Exit(INTERRUPTED) from None


def restorer_of_process(model: str | None, config: RestoreConfig, device: str) -> Restorer:
    """The restorer of a process of `--jobs`, which has no progress bar."""
    from lumiface.restoration.restorer import Restorer

    restorer = Restorer(model, config, device)
    restorer.warn = print_error
    return restorer


def _report(summary: Summary, pipes: Pipes) -> None:
    """Results on stdout, unless the picture goes there; the table beside them, problems on stderr."""
    from rich.console import Console

    if not pipes.to_stdout:
        shown = summary.restored if len(summary.restored) <= MAX_LINES else []
        for path in (*shown, *summary.sheets):
            typer.echo(str(path))
    if summary.restored or summary.skipped:
        Console(stderr=pipes.to_stdout).print(_table(summary))
    for line in summary.remark_lines:
        print_error(pipes.named(line))
    for fault in summary.faults:
        traceback.print_exception(fault, file=sys.stderr)
    for line in summary.failed:
        print_error(pipes.named(line))


def _table(summary: Summary) -> Table:
    """The numbers of pictures and faces by outcome."""
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("restored", str(len(summary.restored)))
    for reason, count in Counter(summary.skipped.values()).items():
        hint = "; use --overwrite to replace them" if reason == "already there" else ""
        table.add_row("skipped", str(count), reason + hint)
    if summary.failed:
        table.add_row("failed", str(len(summary.failed)), "listed below")
    table.add_row("faces", str(summary.faces.total()))
    for treatment, count in summary.faces.most_common():
        table.add_row(f"  {treatment}", str(count), TREATMENTS.get(treatment))
    for note, count in summary.notes.most_common(MAX_LINES):
        table.add_row("pictures", str(count), Text(note))
    return table


def _box(text: str) -> tuple[float, float, float, float]:
    try:
        x, y, width, height = (float(number) for number in text.split(","))
    except ValueError:
        raise SettingError(f"--box {text}: need four numbers, x,y,width,height in pixels") from None
    return x, y, width, height

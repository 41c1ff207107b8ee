"""`lumiface score`: metrics of a folder of pictures of any origin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lumiface.cli.shared import BAD_INPUT, print_error

if TYPE_CHECKING:
    from rich.table import Table

    from lumiface.evaluation.folder import FolderScores

_MAX_LINES = 10  # of each kind of failure on the terminal; the JSON file has them all


def score(
    results: Annotated[
        str, typer.Argument(metavar="RESULTS", help="pictures to score: folder, tar or picture")
    ],
    reference: Annotated[
        str | None,
        typer.Option(
            help="ground truth of the same names, or a set built by `lumiface degrade`; without it: NIQE and "
            "BRISQUE only"
        ),
    ] = None,
    distance_to: Annotated[
        str | None,
        typer.Option(help="unpaired reference set of the Fréchet distances, instead of the ground truth"),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="also write the table to FILE")
    ] = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="write one line per picture to FILE")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
    batch: Annotated[int, typer.Option(min=1, help="pictures per batch")] = 16,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: torch's choice")] = None,
) -> None:
    """Score existing pictures.

    A result is compared with the ground truth of the same name, whatever the suffix.
    All metrics are measured whose weights are available; a line says what is missing for the others.
    """
    import json

    import torch
    from rich.console import Console

    from lumiface.cli.progress import progress_bar
    from lumiface.core.device import choose_device
    from lumiface.core.files import write_bytes
    from lumiface.evaluation.folder import score_folder
    from lumiface.evaluation.protocols import clean_pictures

    if reference is not None and (clean := clean_pictures(reference)) is not None:
        reference = str(clean)
    if threads is not None:
        torch.set_num_threads(threads)
    with progress_bar("scoring") as progress:
        result = score_folder(
            results,
            reference,
            distance_to=distance_to,
            device=choose_device(device),
            batch=batch,
            progress=progress,
        )
    console = Console()
    console.print(_table(result))
    for note in result.notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    if json_file is not None:
        write_bytes(json_file, (json.dumps(result.as_dict(), indent=2, allow_nan=False) + "\n").encode())
    if csv_file is not None:
        write_bytes(csv_file, result.as_csv().encode())
    _print_errors("", result.failed)
    _print_errors("no reference for ", result.without_reference)
    _print_errors("no result for ", result.without_result)
    if not result.is_complete:
        raise typer.Exit(BAD_INPUT)


def _table(result: FolderScores) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from lumiface.evaluation.metric_suite import METRICS

    protocol = result.protocol
    against = f" against {protocol['reference']}" if protocol["reference"] is not None else ""
    against += f", distances to {protocol['distance_to']}" if protocol["distance_to"] is not None else ""
    table = Table(
        title=f"{protocol['results']}{against}: {protocol['images']} pictures",
        caption="8-bit RGB, no crop. ±: 95 % interval of the mean (bootstrap). Y of BT.601, limited range.",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.title_justify = table.caption_justify = "left"
    table.add_column("metric", no_wrap=True)
    for heading in ("score", "±", "pictures"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("better")
    for name, score in result.scores.items():
        metric = METRICS[name]
        low, high = score.interval or (0.0, 0.0)
        table.add_row(
            name,
            "–" if score.value is None else f"{score.value:.{metric.digits}f}",
            "" if score.interval is None else f"{(high - low) / 2:.{metric.digits}f}",
            str(score.images),
            metric.better,
        )
    return table


def _print_errors(start: str, lines: list[str]) -> None:
    for line in lines[:_MAX_LINES]:
        print_error(start + line)
    if len(lines) > _MAX_LINES:
        print_error(f"{start or 'failed: '}{len(lines)} in all; --json lists all of them")

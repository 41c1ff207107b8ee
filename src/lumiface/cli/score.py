"""`lumiface score`: the measures of any folder of pictures, ours or anybody's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lumiface.cli.shared import BAD_INPUT, print_error

if TYPE_CHECKING:
    from rich.table import Table

    from lumiface.evaluation.folder import FolderScores

_SHOWN = 10  # lines of each kind of failure on the screen; the JSON file has them all


def score(
    results: Annotated[
        str, typer.Argument(metavar="RESULTS", help="pictures to score: folder, tar or picture")
    ],
    reference: Annotated[
        str | None, typer.Option(help="originals of the same names; without them: NIQE and BRISQUE alone")
    ] = None,
    distance_to: Annotated[
        str | None,
        typer.Option(help="good pictures of others: Fréchet distances are taken to them, not to originals"),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="write the table there, too")
    ] = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="write one line a picture there")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
    batch: Annotated[int, typer.Option(min=1, help="pictures at once")] = 16,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: torch's choice")] = None,
) -> None:
    """Score pictures that exist already.

    A result belongs to the original of the same name, whatever the endings.
    Everything is measured that this machine can; a line says what is missing for the rest.
    """
    import json

    import torch
    from rich.console import Console

    from lumiface.cli.progress import progress_bar
    from lumiface.core.device import choose_device
    from lumiface.core.files import write_bytes
    from lumiface.evaluation.folder import score_folder

    if threads is not None:
        torch.set_num_threads(threads)
    with progress_bar("scoring") as advance:
        found = score_folder(
            results,
            reference,
            distance_to=distance_to,
            device=choose_device(device),
            batch=batch,
            progress=advance,
        )
    console = Console()
    console.print(_table(found))
    for note in found.notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    if json_file is not None:
        write_bytes(json_file, (json.dumps(found.as_dict(), indent=2, allow_nan=False) + "\n").encode())
    if csv_file is not None:
        write_bytes(csv_file, found.as_csv().encode())
    _complain("", found.failed)
    _complain("no reference for ", found.without_reference)
    _complain("no result for ", found.without_result)
    if not found.all_well:
        raise typer.Exit(BAD_INPUT)


def _table(found: FolderScores) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from lumiface.evaluation.metric_suite import METRICS

    told = found.protocol
    against = f" against {told['reference']}" if told["reference"] is not None else ""
    against += f", distances to {told['distance_to']}" if told["distance_to"] is not None else ""
    table = Table(
        title=f"{told['results']}{against}: {told['images']} pictures",
        caption="8-bit RGB, no crop. ± spans 95 % of the mean (bootstrap). Y of BT.601, limited range.",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.title_justify = table.caption_justify = "left"
    table.add_column("measure", no_wrap=True)
    for heading in ("value", "±", "pictures"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("better")
    for name, score in found.scores.items():
        measure = METRICS[name]
        low, high = score.interval or (0.0, 0.0)
        table.add_row(
            name,
            "–" if score.value is None else f"{score.value:.{measure.digits}f}",
            "" if score.interval is None else f"{(high - low) / 2:.{measure.digits}f}",
            str(score.images),
            measure.better,
        )
    return table


def _complain(start: str, lines: list[str]) -> None:
    for line in lines[:_SHOWN]:
        print_error(start + line)
    if len(lines) > _SHOWN:
        print_error(f"{start or 'failed: '}{len(lines)} in all; --json has every one")

"""`lumiface compare`: a table of methods at equal budgets, from nothing to the report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lumiface.cli.shared import BAD_INPUT, print_error


def compare(
    table: Annotated[str, typer.Argument(help="a YAML file, or the name of a table that ships (table2)")],
    data_root: Annotated[str, typer.Option(help="folder that {data} stands for in the table")] = ".",
    budget: Annotated[str | None, typer.Option(help="instead of the table's: tiny, gpu, paper, FILE")] = None,
    out: Annotated[
        Path | None, typer.Option(help="runs, scores, report; default: runs/compare/BUDGET")
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="write the rows there, too, without pictures"),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="runs at once; one thread each pays on a CPU")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of each run")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps")] = "auto",
    max_minutes: Annotated[float | None, typer.Option(help="train no longer; go on another time")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print the runs that are missing, and stop")
    ] = False,
) -> None:
    """Compare methods at equal budgets.

    Trains what is missing (the same faces in the same order for every row), evaluates every row on every
    set, and writes report.md, .csv, .json and .html. The same command goes on where it was stopped; a
    finished row is never trained again.
    """
    import json

    import torch

    from lumiface.comparison.config import read_budget, read_table
    from lumiface.comparison.html import write_report
    from lumiface.comparison.plan import is_finished, plan_rows, planned_runs
    from lumiface.comparison.run import compare as run
    from lumiface.comparison.scores import is_measured
    from lumiface.comparison.workers import Workers
    from lumiface.core.device import choose_device
    from lumiface.core.files import write_bytes

    wanted = read_table(table)
    if budget is not None:
        wanted = wanted.model_copy(update={"budget": budget})
    spent = read_budget(wanted.budget)
    folder = out or Path("runs") / "compare" / Path(wanted.budget).stem
    if dry_run:
        rows = [row for row in plan_rows(wanted, spent, folder) if not is_measured(wanted, row)]
        for place, settings in planned_runs(rows).items():
            state = "finished" if is_finished(place) else f"{settings.steps} steps"
            typer.echo(f"{place}: {state}")
        return
    torch.set_num_threads(threads)
    machine = Workers(data_root, str(choose_device(device)), jobs, threads, max_minutes)
    found = run(wanted, spent, folder, machine, typer.echo)
    if found.report is not None:
        for path in write_report(found.report, found.pictures, folder / Path(table).stem):
            typer.echo(f"wrote {path}")
        if json_file is not None:
            rows = {key: value for key, value in found.report.items() if key != "per_image"}
            write_bytes(json_file, (json.dumps(rows, indent=2, allow_nan=False) + "\n").encode())
            typer.echo(f"wrote {json_file}")
    for line in found.failures:
        print_error(line)
    if found.failures or found.report is None:
        raise typer.Exit(BAD_INPUT)

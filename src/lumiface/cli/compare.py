"""`lumiface compare`: a table of methods at equal budgets, from training to the report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lumiface.cli.shared import BAD_INPUT, print_error


def compare(
    table: Annotated[str, typer.Argument(help="a YAML file, or the name of a shipped table (table2)")],
    data_root: Annotated[str, typer.Option(help="folder that {data} stands for in the table")] = ".",
    budget: Annotated[str | None, typer.Option(help="override the table's: tiny, gpu, paper, FILE")] = None,
    out: Annotated[
        Path | None, typer.Option(help="folder of runs, scores and report; default: runs/compare/BUDGET")
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="also write the rows, without pictures, to FILE"),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="parallel runs; on a CPU best with one thread each")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads per run")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps")] = "auto",
    max_minutes: Annotated[
        float | None, typer.Option(help="stop training after this time; resume later")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the missing runs and exit")] = False,
) -> None:
    """Compare methods at equal budgets.

    Trains what is missing (with the same faces in the same order for every row), evaluates every row on every
    set, and writes report.md, .csv, .json and .html. The same command resumes an interrupted comparison;
    finished rows are never trained again.
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

    table_config = read_table(table)
    if budget is not None:
        table_config = table_config.model_copy(update={"budget": budget})
    budget_config = read_budget(table_config.budget)
    folder = out or Path("runs") / "compare" / Path(table_config.budget).stem
    if dry_run:
        rows = plan_rows(table_config, budget_config, folder)
        missing = planned_runs([row for row in rows if not is_measured(table_config, row)])
        for run_folder, config in missing.items():
            state = "finished" if is_finished(run_folder) else f"{config.steps} steps"
            typer.echo(f"{run_folder}: {state}")
        return
    torch.set_num_threads(threads)
    workers = Workers(data_root, str(choose_device(device)), jobs, threads, max_minutes)
    comparison = run(table_config, budget_config, folder, workers, typer.echo)
    if comparison.report is not None:
        for path in write_report(comparison.report, comparison.pictures, folder / Path(table).stem):
            typer.echo(f"wrote {path}")
        if json_file is not None:
            rows = {key: value for key, value in comparison.report.items() if key != "per_image"}
            write_bytes(json_file, (json.dumps(rows, indent=2, allow_nan=False) + "\n").encode())
            typer.echo(f"wrote {json_file}")
    for line in comparison.failures:
        print_error(line)
    if comparison.failures or comparison.report is None:
        raise typer.Exit(BAD_INPUT)

"""What `lumiface restore` says at the end: results, numbers by outcome, problems."""

from __future__ import annotations

import sys
import traceback
from collections import Counter
from typing import TYPE_CHECKING

import typer

from lumiface.cli.pipes import Pipes
from lumiface.cli.shared import print_error

if TYPE_CHECKING:
    from rich.table import Table

    from lumiface.restoration.batch import Summary

MAX_LINES = 10
"""The maximum number of results and notes that are listed one by one."""

TREATMENTS = {
    "restored": "output of the network",
    "relit": "brightened, with their own detail, in full or by half",
    "unchanged": "enough light and detail: nothing to do",
}


def report(summary: Summary, pipes: Pipes) -> None:
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
    for what, number, said in summary.trust.rows:
        table.add_row(what, number, said)
    for note, count in summary.notes.most_common(MAX_LINES):
        table.add_row("pictures", str(count), Text(note))
    return table

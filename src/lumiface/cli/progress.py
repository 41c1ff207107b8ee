"""One progress bar for all commands; silent where nobody watches (a pipe, a log)."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Advance(Protocol):
    """Call it with what is done, what there is in all, and a word on the current thing.

    None leaves a number as it was; at first what there is in all is unknown.
    """

    def __call__(self, done: int | None, total: int | None, now: str = "") -> None: ...


@contextmanager
def progress_bar(title: str) -> Generator[Advance]:
    """A bar on stderr that goes away when the work is done."""
    console = Console(stderr=True)
    with Progress(
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[now]}", markup=False),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(title, total=None, now="")

        def advance(done: int | None, total: int | None, now: str = "") -> None:
            bar.update(task, completed=done, total=total, now=now)

        yield advance

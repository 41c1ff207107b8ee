"""The progress bar of all commands; silent unless stderr is a terminal."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class ProgressCallback(Protocol):
    """Called with the number of finished items, the total number, and a description of the current item.

    None keeps a number unchanged; the total is unknown at first.
    """

    def __call__(self, done: int | None, total: int | None, now: str = "") -> None: ...


@contextmanager
def progress_bar(title: str) -> Generator[ProgressCallback]:
    """A bar on stderr that disappears at the end."""
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

        def update(done: int | None, total: int | None, now: str = "") -> None:
            bar.update(task, completed=done, total=total, now=now)

        yield update

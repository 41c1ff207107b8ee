"""`lumiface demo`: a dark, small photograph that comes with the package, brought back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Output = Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="folder for the pictures")]


def demo(
    output: Output = Path("out/demo"),
    model: Annotated[
        str | None, typer.Option(help="a name that `lumiface models` lists, or a file; default: the best")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
) -> None:
    """Restore a photograph that comes along.

    It is made dark and small as the benchmark does, restored, and laid beside the original.
    """
    from lumiface.core.device import choose_device
    from lumiface.restore.demo import make_demo
    from lumiface.restore.restorer import Restorer

    pictures = make_demo(output, Restorer(model, device=str(choose_device(device))))
    typer.echo(f"dark and small: {pictures.dark}")
    typer.echo(f"restored: {pictures.restored}")
    typer.echo("before and after:")
    typer.echo(str(pictures.comparison))

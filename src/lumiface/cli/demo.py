"""`lumiface demo`: the restoration of a bundled photograph, darkened and downscaled."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Output = Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="folder of the pictures")]


def demo(
    output: Output = Path("out/demo"),
    model: Annotated[
        str | None,
        typer.Option(help="a name listed by `lumiface models`, or a file; default: the best shipped model"),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
) -> None:
    """Restore a bundled photograph.

    It is made dark and small, and, a second time, blurred, noisy and compressed.

    The results are written side by side with the original.
    """
    from lumiface.core.device import choose_device
    from lumiface.restoration.demo import SCALE, make_demo
    from lumiface.restoration.restorer import RestoreConfig, Restorer

    name = str(choose_device(device))
    enlarge, repair = (Restorer(model, RestoreConfig(scale=scale), name) for scale in (SCALE, 1))
    pictures = make_demo(output, enlarge, repair)
    typer.echo(f"dark and small: {pictures.dark}")
    typer.echo(f"restored: {pictures.restored}")
    typer.echo(f"blurred, noisy and compressed: {pictures.damaged}")
    typer.echo(f"restored: {pictures.repaired}")
    typer.echo("before and after:")
    typer.echo(str(pictures.comparison))
    typer.echo(str(pictures.second_comparison))

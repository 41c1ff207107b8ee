"""`lumiface export`: a trained network as a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    model: Annotated[
        str, typer.Argument(help="a name listed by `lumiface models`, or a file that `lumiface train` wrote")
    ],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="FILE", help="the file, *.onnx; for openvino *.xml"),
    ],
    format: Annotated[  # noqa: A002 (the option's name)
        str,
        typer.Option(metavar="[onnx|openvino]", help="onnx: one file; openvino: .xml and .bin"),
    ] = "onnx",
) -> None:
    """Export a network to ONNX or OpenVINO.

    It can be used without lumiface. The file takes pictures of any size; its metadata say scale, sizes,
    colour and range. It is run against the network before it appears under its name.
    """
    from lumiface.core.errors import SettingError
    from lumiface.runtimes.export import FORMATS, export_model

    if format not in FORMATS:
        raise SettingError(f"--format {format}: choose from {', '.join(FORMATS)}")
    exported = export_model(model, output, format)
    for path in exported.files:
        typer.echo(f"{path} ({path.stat().st_size / 2**20:.1f} MiB)")
    typer.echo(f"the same pictures as by torch: {exported.parity}", err=True)
    facts = exported.facts
    typer.echo(f"x{facts['scale']}, RGB 0 to 1, sides from {facts['min_size']} px", err=True)

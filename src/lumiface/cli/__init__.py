"""The command line. Every command imports its dependencies when it runs, so that `--help` is fast."""

from __future__ import annotations

import warnings
from typing import Annotated

import typer

from lumiface import __version__
from lumiface.cli.compare import compare
from lumiface.cli.degrade import degrade
from lumiface.cli.demo import demo
from lumiface.cli.evaluate import evaluate
from lumiface.cli.export import export
from lumiface.cli.figure import figure
from lumiface.cli.models import models
from lumiface.cli.prepare import pack_faces, prepare_meshes
from lumiface.cli.restore import restore
from lumiface.cli.sample import sample
from lumiface.cli.score import score
from lumiface.cli.shared import ErrorHandlingGroup, HelpFromModel
from lumiface.cli.train import train
from lumiface.cli.video import video
from lumiface.cli.web import web

app = typer.Typer(
    name="lumiface",
    cls=ErrorHandlingGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: Rich's boxes cut long names off on a narrow terminal
    help="Restore faces in dark, small or degraded photographs; train, evaluate and compare the networks.",
    epilog="Exit codes: 0: success; 1: some inputs failed; 2: invalid usage.",
)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"lumiface {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    del version
    # Warnings are for the user: show the message, not the line of code that issued it.
    warnings.formatwarning = lambda message, *_where, **_line: f"lumiface: {message}\n"


app.command(cls=HelpFromModel.by("lumiface.restoration.config", "RestoreConfig"), no_args_is_help=True)(
    restore
)
app.command(cls=HelpFromModel.by("lumiface.restoration.config", "RestoreConfig"), no_args_is_help=True)(video)
app.command(cls=HelpFromModel.by("lumiface.web.settings", "WebConfig"))(web)
app.command(cls=HelpFromModel.by("lumiface.training.config", "TrainConfig"), no_args_is_help=True)(train)
app.command()(evaluate)
app.command(no_args_is_help=True)(compare)
app.command(no_args_is_help=True)(score)
app.command(no_args_is_help=True)(degrade)
app.command(no_args_is_help=True)(prepare_meshes)
app.command(no_args_is_help=True)(pack_faces)
app.add_typer(models, name="models")
app.command(no_args_is_help=True)(export)
app.command(no_args_is_help=True)(sample)
app.command()(demo)
app.add_typer(figure, name="figure")

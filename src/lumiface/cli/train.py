"""`lumiface train`: one run, from a configuration to weights."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lumiface.cli.shared import SkipBad
from lumiface.core.errors import LumifaceError, SettingError

if TYPE_CHECKING:
    from lumiface.training.config import RunConfig


def train(
    config: Annotated[str, typer.Argument(help="a YAML file, or the name of one that ships (lfsrnet-lite)")],
    data_root: Annotated[str, typer.Option(help="data folder: replaces {data} in the configuration")] = ".",
    out: Annotated[Path | None, typer.Option(help="folder of the run; default: runs/NAME")] = None,
    max_steps: Annotated[
        int | None, typer.Option(min=1, help="stop at this step; the same command resumes")
    ] = None,
    max_minutes: Annotated[
        float | None, typer.Option(help="stop after this time; the same command resumes")
    ] = None,
    steps: Annotated[int | None, typer.Option()] = None,
    minutes: Annotated[float | None, typer.Option()] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print configuration, parameters and FLOPs; read no data")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="start a new run; an existing one is moved aside, not deleted")
    ] = False,
    init_from: Annotated[str | None, typer.Option(help="initial weights: a model's name or file")] = None,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, cuda, mps")] = "auto",
    devices: Annotated[
        str, typer.Option(help="number of devices (2), their indices (0,3), or auto")
    ] = "auto",
    nodes: Annotated[
        int, typer.Option(min=1, help="number of machines; the same command is started on each")
    ] = 1,
    strategy: Annotated[
        str, typer.Option(help="auto, ddp, fsdp: distribution strategy of Lightning Fabric")
    ] = "auto",
    precision: Annotated[str | None, typer.Option()] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: torch's choice")] = None,
    skip_bad: SkipBad = False,
) -> None:
    """Train a network.

    Options that are not given keep the values of the configuration.

    A run that was stopped or killed resumes when the same command is given again; on one machine it ends
    bit for bit like one that was never stopped.
    """
    import torch

    from lumiface.core.settings import find_config
    from lumiface.training.read_config import read_config

    settings = read_config(find_config(config), {"steps": steps, "minutes": minutes, "precision": precision})
    if threads is not None:
        torch.set_num_threads(threads)
    if dry_run:
        _describe(settings)
        return
    try:
        from lumiface.training.describe import describe
        from lumiface.training.launch import start_fabric
        from lumiface.training.run import train as start_training
        from lumiface.training.task import Limits
    except ModuleNotFoundError as error:
        raise SettingError(f"training needs {error.name}: pip install 'lumiface[train]'") from error

    folder = out or Path("runs") / settings.name
    fabric = start_fabric(
        accelerator=accelerator,
        devices=devices,
        nodes=nodes,
        strategy=strategy,
        precision=settings.precision,
    )
    aside: Path | None = None
    if fresh and fabric.is_global_zero:
        describe(settings)  # a run that cannot start must not move another one aside
        aside = _move_aside(folder)
    fabric.barrier()
    try:
        result = start_training(
            settings,
            folder,
            fabric,
            data_root=data_root,
            limits=Limits(max_steps=max_steps, max_minutes=max_minutes, init_from=init_from),
            skip_bad=skip_bad,
        )
    except LumifaceError:
        if aside is not None and not folder.exists():  # nothing was begun: bad data, for example
            aside.rename(folder)
            typer.echo(f"{folder} was moved back")
        raise
    if fabric.is_global_zero:
        of = "" if settings.minutes else f" of {settings.steps}"
        best = "" if result.best == -math.inf else f"best {result.monitor} {result.best:.3f}, "
        typer.echo(f"step {result.step}{of}: {best}weights in {result.weights}")


def _describe(settings: RunConfig) -> None:
    """The resolved configuration as YAML, and what the network costs."""
    import yaml

    from lumiface.figures.console_tables import amount
    from lumiface.training.describe import describe

    run = describe(settings)
    typer.echo(yaml.safe_dump(run.resolved, sort_keys=False, allow_unicode=True).rstrip())
    typer.echo(f"# parameters: {run.parameters} ({amount(run.parameters)})")
    typer.echo(f"# FLOPs of {run.forward}: {run.flops} ({amount(run.flops)}; a multiply-add counts as 2)")


def _move_aside(folder: Path) -> Path | None:
    if not folder.exists():
        return None
    number = 1
    while (aside := folder.with_name(f"{folder.name}.{number}")).exists():
        number += 1
    folder.rename(aside)
    typer.echo(f"{folder} was moved to {aside}")
    return aside

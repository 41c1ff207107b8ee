"""`lumiface models`: methods and trained models, what they say of themselves, and how a run is published."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

models = typer.Typer(
    help="List methods and trained models.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@models.callback()
def overview(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is not None:
        return
    from rich.console import Console

    console = Console()
    for table in (_methods(), _components(), _ready_to_use()):
        console.print(table)
    trained = _trained()
    if trained is None:
        console.print("No trained models come with this installation; `lumiface train` makes them.")
    else:
        console.print(trained)


def _table(title: str, *headings: str) -> Any:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for heading in headings:
        side = "right" if heading in ("parameters", "scale") else "left"
        # Names are there to be typed: where the screen is narrow, other columns fold.
        table.add_column(heading, justify=side, no_wrap=heading == "name", overflow="fold")
    return table


def _methods() -> Any:
    from lumiface.figures.console_tables import amount
    from lumiface.registry import METHODS, needs_training

    table = _table("Methods to train", "name", "what", "parameters", "scale")
    for spec in METHODS.values():
        for preset in filter(needs_training, spec.presets):
            parameters, scale = _size(preset, {})
            table.add_row(preset, spec.title, amount(parameters), f"x{scale}")
    return table


def _components() -> Any:
    from lumiface.figures.console_tables import amount
    from lumiface.registry import COMPONENTS

    table = _table("Components of methods, trained on their own", "name", "what", "parameters")
    for spec in COMPONENTS.values():
        for preset in spec.presets:
            table.add_row(preset, spec.title, amount(_size(preset, {})[0]))
    return table


def _ready_to_use() -> Any:
    from lumiface.registry import METHODS, needs_training

    table = _table("Methods without trainable parameters, or with their authors' weights", "name", "what")
    for spec in METHODS.values():
        for name in [*spec.official_weights, *(name for name in spec.presets if not needs_training(name))]:
            table.add_row(name, spec.title)
    return table


def _trained() -> Any:
    from lumiface.figures.console_tables import amount
    from lumiface.registry import read_licence, read_metadata, shipped_weights

    if not shipped_weights():
        return None
    table = _table("Trained models", "name", "method", "parameters", "scale", "validation, PSNR-Y", "licence")
    for name, path in shipped_weights().items():
        facts = read_metadata(path)
        parameters, scale = _size(facts["method"], facts["config"])
        score = facts["score"] or {"name": ""}
        shown = f"{score['value']:.2f} dB" if score["name"] == "psnr_y" else "–"
        table.add_row(
            name, facts["method"], amount(parameters), f"x{scale}", shown, read_licence(path) or "–"
        )
    return table


@models.command(no_args_is_help=True)
def show(
    name: Annotated[str, typer.Argument(help="a method, a trained model, or a file of weights")],
) -> None:
    """Show one model: configuration, cost, provenance, card.

    FLOPs and memory are counted for one face: 256x256 where a network keeps the size, else 128x128 after it.
    """
    import yaml

    from lumiface.registry import (
        REGISTRY,
        describe_foreign,
        find_spec,
        find_weights,
        is_foreign,
        read_metadata,
    )

    path = find_weights(name)
    known = [*REGISTRY, *(preset for spec in REGISTRY.values() for preset in spec.presets)]
    if name in known and not path.is_file():
        spec, preset = find_spec(name)
        facts: dict[str, Any] = {"method": spec.name, "title": spec.title, "source": spec.source}
        for each in [name] if name != spec.name or name in spec.presets else spec.presets:
            facts |= {each: _cost(each, dict(spec.presets.get(each, preset)))}
    elif is_foreign(path):
        facts = describe_foreign(path)
    else:
        metadata = read_metadata(path)
        facts = {"file": str(path), **_cost(metadata["method"], metadata["config"]), **metadata}
    typer.echo(yaml.safe_dump(facts, sort_keys=False, allow_unicode=True, width=100).rstrip())
    card = path.with_suffix(".md")
    if card.is_file():
        typer.echo("\n" + card.read_text(encoding="utf-8").rstrip())


@models.command(no_args_is_help=True)
def publish(
    weights: Annotated[Path, typer.Argument(help="checkpoint of a run: RUN/best.safetensors")],
    name: Annotated[str, typer.Argument(help="the model's name from now on")],
    to: Annotated[Path, typer.Option(help="folder of the published model")] = Path("models"),
    ship: Annotated[
        bool, typer.Option("--ship", help="write into the package's own weights instead (maintainers)")
    ] = False,
) -> None:
    """Store the weights of a run as one file to share.

    In half precision, with their configuration and provenance.
    """
    import re
    from importlib import resources

    import torch

    from lumiface.core.errors import SettingError
    from lumiface.registry import WorkingSizes, find_spec, load_model, read_metadata
    from lumiface.training.checkpoint import save_weights

    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        raise SettingError(f"{name}: a model's name is made of a-z, 0-9, dots and dashes")
    _require_weights(weights)
    facts = read_metadata(weights)
    spec, _ = find_spec(facts["method"])
    network: Any = load_model(weights, kind=facts["method"])
    if ship:
        to = Path(str(resources.files("lumiface"))) / "weights"
        to = to / "components" if spec.kind == "component" else to
    target = to / f"{name}.safetensors"
    save_weights(
        target,
        network.state_dict(),
        method=facts["method"],
        config=spec.config(**facts["config"]),
        provenance=facts["provenance"] | _curve(weights.with_name("log.jsonl")),
        score=facts["score"],
        trained_on=facts["trained_on"],
        sizes=WorkingSizes(**facts["sizes"]) if facts["sizes"] else None,
        dtype=torch.float16,
    )
    typer.echo(f"{target} ({target.stat().st_size / 1024:.0f} KiB)")
    if not target.with_suffix(".md").is_file():
        typer.echo(f"its card is missing: write {target.with_suffix('.md')}, with a line `Licence: ...`")


def _require_weights(weights: Path) -> None:
    """Say why a checkpoint of a run is not there.

    Raises:
        InputError: it is absent.
    """
    from lumiface.core.errors import InputError

    if weights.is_file():
        return
    last = weights.with_name("last.safetensors")
    if weights.name == "best.safetensors" and last.is_file():
        raise InputError(
            f"{weights} is not written yet: the run has not reached its first validation "
            f"(validate_every); train longer, or publish {last}"
        )
    raise InputError(f"{weights}: there is no such file; name a checkpoint that `lumiface train` wrote")


def _curve(log: Path) -> dict[str, Any]:
    """The validation scores of a run, {"curve": [[step, score], ...]}, if its log is there."""
    import json

    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    entries = [json.loads(line) for line in lines]
    curve = [list(entry.values()) for entry in entries if len(entry) == 2]  # step and score alone
    return {"curve": curve} if curve else {}


def _size(name: str, config: dict[str, Any]) -> tuple[float, int]:
    """Number of parameters (NaN where the network's package is absent), and scale; 1 for a component."""
    import torch

    from lumiface.core.errors import SettingError
    from lumiface.registry import build, configure

    scale: int = getattr(configure(name, config), "scale", 1)
    try:
        try:
            with torch.device("meta"):  # nothing is allocated ...
                network = build(name, config)
        except RuntimeError:  # ... except by networks that compute with tensors while they are built
            network = build(name, config)
    except SettingError:
        return math.nan, scale
    return sum(parameter.numel() for parameter in network.parameters()), scale


def _cost(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Parameters and, for a method, FLOPs and memory per face."""
    from lumiface.core.errors import SettingError
    from lumiface.evaluation.cost import count_cost
    from lumiface.registry import build, configure, find_spec

    parameters, scale = _size(name, config)
    if find_spec(name)[0].kind == "component":
        return {"parameters": parameters}
    side = 256 if scale == 1 else 128 // scale
    try:
        network = build(name, config)
    except SettingError:  # its package is absent
        return {"parameters": parameters}
    gflops, peak_mib = count_cost(network, side)
    return {
        "parameters": parameters,
        "cost": {
            "side": side,
            "gflops": round(gflops, 2),
            "peak_mib": round(peak_mib, 1),
            "settings": configure(name, config).model_dump(mode="json"),
        },
    }

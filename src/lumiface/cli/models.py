"""`lumiface models`: what there is, where it comes from, and how a run becomes a model that ships."""

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
    from rich.table import Table

    from lumiface.figures.console_tables import amount
    from lumiface.registry import COMPONENTS, METHODS, needs_training, read_metadata, shipped_weights

    console = Console()
    presets = Table(title="Methods to train", title_justify="left")
    for heading in ("name", "what", "parameters", "scale"):
        presets.add_column(heading, justify="right" if heading in ("parameters", "scale") else "left")
    ready = Table(title="Methods with nothing to learn, or with their authors' weights", title_justify="left")
    for heading in ("name", "what"):
        ready.add_column(heading)
    for method in METHODS.values():
        for preset in method.presets:
            if needs_training(preset):
                parameters, scale = _size(preset, {})
                presets.add_row(preset, method.title, amount(parameters), f"x{scale}")
        for name in [*method.published, *(name for name in method.presets if not needs_training(name))]:
            ready.add_row(name, method.title)
    parts = Table(title="Parts of methods, trained on their own", title_justify="left")
    for heading in ("name", "what", "parameters"):
        parts.add_column(heading, justify="right" if heading == "parameters" else "left")
    for part in COMPONENTS.values():
        for preset in part.presets:
            parts.add_row(preset, part.title, amount(_size(preset, {})[0]))
    console.print(presets)
    console.print(parts)
    console.print(ready)

    shipped = shipped_weights()
    if not shipped:
        console.print("No trained models come with this installation; `lumiface train` makes them.")
        return
    trained = Table(title="Trained models", title_justify="left")
    for heading in ("name", "method", "parameters", "scale", "validation, PSNR-Y", "licence"):
        side = "right" if heading in ("parameters", "scale") else "left"
        # Names are there to be typed: where the screen is narrow, other columns fold.
        trained.add_column(heading, justify=side, no_wrap=heading == "name", overflow="fold")
    for name, path in shipped.items():
        facts = read_metadata(path)
        parameters, scale = _size(facts["method"], facts["config"])
        best = facts["provenance"].get("best_psnr_y")
        score = f"{best:.2f} dB" if best is not None else "–"
        trained.add_row(name, facts["method"], amount(parameters), f"x{scale}", score, _licence(path))
    console.print(trained)


@models.command(no_args_is_help=True)
def show(
    name: Annotated[str, typer.Argument(help="a method, a trained model, or a safetensors file")],
) -> None:
    """All that a model says of itself: method, configuration, cost, where it comes from, and its card.

    FLOPs and memory are counted for one face: of 256x256 where a network keeps its size, else 128x128 after.
    """
    import yaml

    from lumiface.registry import METHODS, find_method, find_weights, read_metadata

    path = find_weights(name)
    known = [*METHODS, *(preset for method in METHODS.values() for preset in method.presets)]
    if name in known and not path.is_file():
        method, preset = find_method(name)
        said: dict[str, Any] = {"method": method.name, "title": method.title, "source": method.source}
        for each in [name] if name != method.name or name in method.presets else method.presets:
            said |= {each: _cost(each, dict(method.presets.get(each, preset)))}
    else:
        facts = read_metadata(path)
        said = {"file": str(path), **_cost(facts["method"], facts["config"]), **facts}
    typer.echo(yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=100).rstrip())
    card = path.with_suffix(".md")
    if card.is_file():
        typer.echo("\n" + card.read_text(encoding="utf-8").rstrip())


@models.command(no_args_is_help=True)
def publish(
    weights: Annotated[Path, typer.Argument(help="what a run made: RUN/best.safetensors")],
    name: Annotated[str, typer.Argument(help="the model's name from now on")],
    to: Annotated[Path | None, typer.Option(help="folder; default: the weights of this checkout")] = None,
) -> None:
    """Store a run's weights in half precision, with where they come from, so that they can ship."""
    import re
    from importlib import resources

    import torch

    from lumiface.core.errors import SettingError
    from lumiface.registry import COMPONENTS, find_method, load_component, load_model, read_metadata
    from lumiface.training.checkpoint import save_weights

    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        raise SettingError(f"{name}: a model's name is made of a-z, 0-9, dots and dashes")
    facts = read_metadata(weights)
    kind = facts["method"]
    network: Any = load_component(weights, kind) if kind in COMPONENTS else load_model(weights)
    shelf = Path(str(resources.files("lumiface"))) / "weights" / ("components" if kind in COMPONENTS else "")
    target = (to or shelf) / f"{name}.safetensors"
    save_weights(
        target,
        network.state_dict(),
        method=kind,
        config=(COMPONENTS[kind] if kind in COMPONENTS else find_method(kind)[0]).config(**facts["config"]),
        provenance=facts["provenance"] | _curve(weights.with_name("log.jsonl")),
        dtype=torch.float16,
    )
    typer.echo(f"{target} ({target.stat().st_size / 1024:.0f} KiB)")
    if not target.with_suffix(".md").is_file():
        typer.echo(f"its card is missing: write {target.with_suffix('.md')}, with a line `Licence: ...`")


def _curve(log: Path) -> dict[str, Any]:
    """What validation said in the course of a run, {"curve": [[step, score], ...]}, if its log is there."""
    import json

    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    said = [json.loads(line) for line in lines]
    curve = [list(line.values()) for line in said if len(line) == 2]  # step and score; others have losses
    return {"curve": curve} if curve else {}


def _size(method: str, config: dict[str, Any]) -> tuple[float, int]:
    """Number of parameters (NaN where the network's package is absent), and scale; 1 for a part."""
    import torch

    from lumiface.core.errors import SettingError
    from lumiface.registry import build, build_component, configure

    if _is_part(method):
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in build_component(method, config).parameters()), 1
    settings: Any = configure(method, config)
    try:
        try:
            with torch.device("meta"):  # nothing is allocated ...
                network = build(method, config)
        except RuntimeError:  # ... save by networks that compute with tensors while they are built
            network = build(method, config)
    except SettingError:
        return math.nan, settings.scale
    return sum(parameter.numel() for parameter in network.parameters()), settings.scale


def _cost(method: str, config: dict[str, Any]) -> dict[str, Any]:
    """Parameters and, for a method, FLOPs and memory of one face."""
    from lumiface.core.errors import SettingError
    from lumiface.evaluation.cost import count_cost
    from lumiface.registry import build, configure

    parameters, scale = _size(method, config)
    if _is_part(method):
        return {"parameters": parameters}
    side = 256 if scale == 1 else 128 // scale
    try:
        network = build(method, config)
    except SettingError:  # its package is absent
        return {"parameters": parameters}
    settings: Any = configure(method, config)
    gflops, peak_mib = count_cost(network, side)
    return {
        "parameters": parameters,
        "cost": {
            "side": side,
            "gflops": round(gflops, 2),
            "peak_mib": round(peak_mib, 1),
            "settings": settings.model_dump(mode="json"),
        },
    }


def _is_part(name: str) -> bool:
    """Whether it is the name of a part or of one of its presets."""
    from lumiface.registry import COMPONENTS

    return any(name == part.name or name in part.presets for part in COMPONENTS.values())


def _licence(weights: Path) -> str:
    """The card's line "Licence: ...", without the word."""
    card = weights.with_suffix(".md")
    lines = card.read_text(encoding="utf-8").splitlines() if card.is_file() else []
    for line in lines:
        word, colon, licence = line.strip(" -*").partition(":")
        if colon and word.strip("* ").lower() in ("licence", "license"):
            return licence.strip(" *")
    return "see its card" if lines else "–"

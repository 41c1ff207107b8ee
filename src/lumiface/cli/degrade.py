"""`lumiface degrade`: sets of bad pictures, made of good ones or found in dark videos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lumiface.cli.shared import BAD_INPUT, Config, print_error
from lumiface.core.errors import InputError, SettingError

PROTOCOLS = {
    "llf": ("scale", "seed", "hr_size"),
    "frr": ("seed", "hr_size", "config"),
    "blind": ("seed", "hr_size", "config"),
    "dark-frames": ("config", "every", "max_luma", "device"),
}
"""The protocols, and the options that each of them has."""


def degrade(
    sources: Annotated[
        list[str], typer.Argument(metavar="SRC...", help="folders, tars, pictures, globs; or videos")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help="folder for what is made")],
    protocol: Annotated[
        str,
        typer.Option(
            help="llf: dark, then small; frr: dark and damaged; blind: damaged; dark-frames: find dark faces"
        ),
    ] = "llf",
    scale: Annotated[
        int | None, typer.Option(min=1, help="bright side over dark side (llf; default: 4)")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="of the damage, with each picture's name (llf, frr, blind; default: 0)"),
    ] = None,
    hr_size: Annotated[
        int | None,
        typer.Option(
            min=0, help="side of the bright pictures, 0: each one's own (default: llf 128, else 256)"
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML with further settings (frr, blind, dark-frames)")
    ] = None,
    every: Annotated[
        float | None, typer.Option(help="seconds between looks at a video (dark-frames; default: 0.5)")
    ] = None,
    max_luma: Annotated[
        float | None, typer.Option(help="mean luma below which a frame is dark (dark-frames; default: 0.2)")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda, mps: for finding faces (dark-frames; default: auto)")
    ] = None,
) -> None:
    """Build a set of bad pictures.

    llf, frr and blind write good pictures, bad ones made of them, and a manifest with all numbers and
    hashes; the same pictures and settings give the same pixels. dark-frames takes the really dark faces from
    videos and pictures and reports on each. What was stopped goes on.
    """
    given: dict[str, Any] = {
        "scale": scale,
        "seed": seed,
        "hr_size": hr_size,
        "config": config,
        "every": every,
        "max_luma": max_luma,
        "device": device,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if protocol not in PROTOCOLS:
        raise SettingError(f"--protocol {protocol}: there is {', '.join(PROTOCOLS)}")
    for name in given:
        if name not in PROTOCOLS[protocol]:
            theirs = " and ".join(other for other, options in PROTOCOLS.items() if name in options)
            raise SettingError(f"--{name.replace('_', '-')} is for {theirs}, not for --protocol {protocol}")
    if protocol == "dark-frames":
        _find_dark_faces(sources, output, given)
    else:
        _build_pairs(sources, output, protocol, given)


def _build_pairs(sources: list[str], output: Path, protocol: str, given: dict[str, Any]) -> None:
    import hashlib

    from lumiface.cli.progress import progress_bar
    from lumiface.data.benchmarks.damaged import PROTOCOLS as DAMAGE
    from lumiface.data.benchmarks.damaged import DamageSettings, build_damaged
    from lumiface.data.benchmarks.llf import LLFSettings
    from lumiface.data.benchmarks.llf_files import build_llf

    size = given.get("hr_size", 128 if protocol == "llf" else 256) or None
    seed = given.get("seed", 0)
    with progress_bar("building") as advance:
        if protocol == "llf":
            settings = LLFSettings(hr_size=size, scale=given.get("scale", 4), seed=seed)
            manifest = build_llf(sources, output, settings, progress=advance)
        else:
            kind: Any = protocol
            ranges = _read(DAMAGE[kind].config, given.get("config"), {})
            damage = DamageSettings(kind, size, seed, ranges)
            manifest = build_damaged(sources, output, damage, progress=advance)
    lines = manifest.read_bytes()
    typer.echo(f"{len(lines.splitlines())} pairs in {output}")
    typer.echo(f"sha256 {hashlib.sha256(lines).hexdigest()}  {manifest}")


def _find_dark_faces(sources: list[str], output: Path, given: dict[str, Any]) -> None:
    from lumiface.cli.progress import progress_bar
    from lumiface.core.device import choose_device
    from lumiface.data.collect.dark_frame_files import collect_dark_faces
    from lumiface.data.collect.dark_frames import DarkFrameConfig
    from lumiface.data.collect.frames import open_frames

    overrides = {name: given[name] for name in ("every", "max_luma") if name in given}
    settings = _read(DarkFrameConfig, given.get("config"), overrides)
    device = choose_device(given.get("device", "auto"))
    with progress_bar("looking") as advance:
        result = collect_dark_faces(open_frames(sources), output, settings, device, progress=advance)
    typer.echo(f"{result.written} dark faces of {result.looked_at} frames in {output}")
    if result.rejected:
        reasons = ", ".join(f"{count} {reason}" for reason, count in result.rejected.most_common())
        typer.echo(f"passed over: {reasons}")
    typer.echo(f"report in {result.report}")
    for line in result.failures:
        print_error(line)
    if result.failures:
        raise typer.Exit(BAD_INPUT)


def _read(model: type[Config], path: Path | None, overrides: dict[str, Any]) -> Config:
    """The model's defaults, changed by the YAML file, changed by the options."""
    import yaml
    from pydantic import ValidationError

    from lumiface.core.files import read_bytes

    raw: Any = {}
    if path is not None:
        try:
            raw = yaml.safe_load(read_bytes(path)) or {}
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
        if not isinstance(raw, dict):
            raise InputError(f"{path}: expected settings, one `name: value` a line")
    try:
        return model(**(raw | overrides))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        where = (
            f"--{name.replace('_', '-')}" if name in overrides else f"{path}: {name}" if name else f"{path}"
        )
        raise SettingError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from error

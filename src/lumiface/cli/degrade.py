"""`lumiface degrade`: degraded data sets, made from clean images or mined from dark videos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lumiface.cli.shared import BAD_INPUT, Config, SkipBad, print_error
from lumiface.core.errors import SettingError

PROTOCOLS = {
    "llf": ("scale", "seed", "hr_size", "skip_bad"),
    "frr": ("seed", "hr_size", "config", "skip_bad"),
    "blind": ("seed", "hr_size", "preset", "config", "skip_bad"),
    "dark-blind": ("seed", "hr_size", "preset", "config", "skip_bad"),
    "dark-frames": ("config", "every", "max_luma", "device"),
}
"""The protocols, and the options of each."""


def degrade(
    sources: Annotated[
        list[str], typer.Argument(metavar="SRC", help="folders, tars, pictures, globs; or videos")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help="folder of the data set")],
    protocol: Annotated[
        str,
        typer.Option(
            metavar=f"[{'|'.join(PROTOCOLS)}]",
            help="llf: darkened, then downscaled; frr: darkened, blurred, noisy, compressed; blind: unknown "
            "degradation; dark-blind: darkened, too; dark-frames: dark faces from videos and pictures",
        ),
    ] = "llf",
    scale: Annotated[
        int | None, typer.Option(min=1, help="downscale factor of the dark pictures (llf; default: 4)")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="seed of the degradation (all but dark-frames; default: 0)")
    ] = None,
    hr_size: Annotated[
        int | None,
        typer.Option(min=0, help="size of the clean pictures, 0: native (default: llf 128, others 256)"),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="gfpgan or dfdnet: the damage that method is trained on (blind, dark-blind)"),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="YAML file with further settings (all but llf)"),
    ] = None,
    every: Annotated[
        float | None, typer.Option(help="seconds between examined frames (dark-frames; default: 0.5)")
    ] = None,
    max_luma: Annotated[
        float | None, typer.Option(help="mean luma below which a frame is dark (dark-frames; default: 0.2)")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda, mps; of face detection (dark-frames; default: auto)")
    ] = None,
    skip_bad: SkipBad = False,
) -> None:
    """Build a degraded data set.

    llf, frr, blind and dark-blind write clean pictures, degraded ones, and a manifest with all parameters and
    hashes; the same pictures and settings give the same pixels. dark-frames writes the dark faces of videos
    and pictures, and a report. Interrupted builds resume.
    """
    options: dict[str, Any] = {
        "scale": scale,
        "seed": seed,
        "hr_size": hr_size,
        "preset": preset,
        "config": config,
        "every": every,
        "max_luma": max_luma,
        "device": device,
        "skip_bad": skip_bad or None,
    }
    options = {name: value for name, value in options.items() if value is not None}
    if protocol not in PROTOCOLS:
        raise SettingError(f"--protocol {protocol}: choose from {', '.join(PROTOCOLS)}")
    for name in options:
        if name not in PROTOCOLS[protocol]:
            others = " and ".join(other for other, names in PROTOCOLS.items() if name in names)
            raise SettingError(f"--{name.replace('_', '-')} is for {others}, not for --protocol {protocol}")
    if protocol == "dark-frames":
        _collect_dark_faces(sources, output, options)
    else:
        _build_pairs(sources, output, protocol, options)


def _build_pairs(sources: list[str], output: Path, protocol: str, options: dict[str, Any]) -> None:
    import hashlib

    from lumiface.cli.progress import progress_bar
    from lumiface.data.benchmarks.damaged import PROTOCOLS as DAMAGE
    from lumiface.data.benchmarks.damaged import DamageSettings, build_damaged
    from lumiface.data.benchmarks.llf import LLFSettings
    from lumiface.data.benchmarks.llf_files import build_llf
    from lumiface.degradations.blind_config import PRESETS

    size = options.get("hr_size", 128 if protocol == "llf" else 256) or None
    seed = options.get("seed", 0)
    bad: dict[str, Any] = {"skip_bad": options.get("skip_bad", False), "log": print_error}
    with progress_bar("building") as progress:
        if protocol == "llf":
            settings = LLFSettings(hr_size=size, scale=options.get("scale", 4), seed=seed)
            manifest = build_llf(sources, output, settings, progress=progress, **bad)
        else:
            kind: Any = protocol
            preset = {name: options[name] for name in ("preset",) if name in options}
            if preset and preset["preset"] not in PRESETS:
                raise SettingError(f"--preset {preset['preset']}: choose from {', '.join(PRESETS)}")
            ranges = _read_config(DAMAGE[kind].config, options.get("config"), preset)
            damage = DamageSettings(kind, size, seed, ranges)
            manifest = build_damaged(sources, output, damage, progress=progress, **bad)
    lines = manifest.read_bytes()
    typer.echo(f"{len(lines.splitlines())} pairs in {output}")
    typer.echo(f"sha256 {hashlib.sha256(lines).hexdigest()}  {manifest}")


def _collect_dark_faces(sources: list[str], output: Path, options: dict[str, Any]) -> None:
    from lumiface.cli.progress import progress_bar
    from lumiface.core.device import choose_device
    from lumiface.data.collect.dark_frame_files import collect_dark_faces
    from lumiface.data.collect.dark_frames import DarkFrameConfig
    from lumiface.data.collect.frames import open_frames

    overrides = {name: options[name] for name in ("every", "max_luma") if name in options}
    settings = _read_config(DarkFrameConfig, options.get("config"), overrides)
    device = choose_device(options.get("device", "auto"))
    with progress_bar("examining") as progress:
        result = collect_dark_faces(open_frames(sources), output, settings, device, progress=progress)
    typer.echo(f"{result.written} dark faces of {result.frames} frames in {output}")
    if result.rejected:
        reasons = ", ".join(f"{count} {reason}" for reason, count in result.rejected.most_common())
        typer.echo(f"rejected: {reasons}")
    typer.echo(f"report in {result.report}")
    for line in result.failures:
        print_error(line)
    if result.failures:
        raise typer.Exit(BAD_INPUT)


def _read_config(model: type[Config], path: Path | None, overrides: dict[str, Any]) -> Config:
    """The model's defaults, overridden by the YAML file, overridden by the options."""
    from lumiface.core.settings import current_spelling, read_yaml, validate

    settings = {} if path is None else current_spelling(model, read_yaml(path))

    def where(name: str) -> str:
        if name in overrides:
            return f"--{name.replace('_', '-')}"
        return f"{path}: {name}" if name else str(path)

    return validate(model, settings | overrides, where)

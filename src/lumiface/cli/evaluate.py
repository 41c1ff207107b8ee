"""`lumiface evaluate`: scores of networks on a benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from lumiface.cli.shared import SkipBad, print_error
from lumiface.core.errors import SettingError

Protocol = Annotated[
    str,
    typer.Option(
        help="degradation: llf (darkened, then reduced), frr (dark, damaged), blind (damaged), dark-blind; "
        "or none: real (pictures as they are), real-faces (largest face of each photograph)"
    ),
]
Scale = Annotated[int | None, typer.Option(help="upscaling factor of llf; default: 4, or the built folder's")]
Seed = Annotated[int | None, typer.Option(help="of the degradation; default: 0, or the built folder's")]
HrSize = Annotated[
    int | None,
    typer.Option(
        help="pixels per side of the clean pictures; 0: native; default: 128 for llf, 256 for the others, or "
        "the built folder's"
    ),
]


def evaluate(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="names or files; none: references only")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(help="faces: folder, tar, picture; or a folder built by `lumiface degrade`; repeatable"),
    ] = None,
    fairness: Annotated[
        Path | None,
        typer.Option(
            metavar="SET",
            help="instead of a benchmark of networks: what `restore` does to well-lit and darkened faces of "
            "several groups of people",
        ),
    ] = None,
    protocol: Protocol = "llf",
    hr_size: HrSize = None,
    scale: Scale = None,
    seed: Seed = None,
    limit: Annotated[int | None, typer.Option(min=1, help="use only the first N pictures")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="also write the table to FILE")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="write all outputs and a grid to DIR")
    ] = None,
    references: Annotated[
        bool,
        typer.Option(
            "--references/--no-references", help="add reference rows: the input, mean-gamma, the oracle"
        ),
    ] = True,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
    batch: Annotated[int, typer.Option(min=1, help="pictures per batch")] = 16,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: torch's choice")] = None,
    skip_bad: SkipBad = False,
) -> None:
    """Evaluate networks on a benchmark.

    The pictures are degraded with seeded parameters: the test set is identical on every machine.
    """
    import json

    import torch
    from rich.console import Console

    from lumiface.cli.progress import progress_bar
    from lumiface.core.device import choose_device
    from lumiface.core.files import write_bytes
    from lumiface.evaluation.benchmark import evaluate as run
    from lumiface.evaluation.protocols import find_benchmark
    from lumiface.figures.console_tables import score_table

    find_benchmark(protocol)
    if fairness is not None:
        _fairness(fairness, models, data, limit, device, json_file)
        return
    if not data:
        raise SettingError("--data is missing: name the faces, or a set of several groups by --fairness")
    if threads is not None:
        torch.set_num_threads(threads)
    with progress_bar("evaluating") as progress:
        result = run(
            models or [],
            data if len(data) > 1 else data[0],
            protocol=protocol,
            hr_size=hr_size,
            scale=scale,
            seed=seed,
            limit=limit,
            references=references,
            device=choose_device(device),
            batch=batch,
            pictures=pictures,
            progress=progress,
            skip_bad=skip_bad,
            log=print_error,
        )
    table = result.as_dict()
    console = Console()
    console.print(score_table(table["rows"], _title(table["protocol"]), result.metrics))
    for note in result.notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    if json_file is not None:
        write_bytes(json_file, (json.dumps(table, indent=2, allow_nan=False) + "\n").encode())


def _fairness(
    path: Path,
    models: list[str] | None,
    data: list[str] | None,
    limit: int | None,
    device: str,
    json_file: Path | None,
) -> None:
    """The default restoration, by group; `limit` is that of each group."""
    import json

    import torch
    from rich.console import Console

    from lumiface.cli.progress import progress_bar
    from lumiface.core.device import choose_device
    from lumiface.core.files import write_bytes
    from lumiface.evaluation.fairness import SEED, first_of_each, measure_fairness, read_groups, summarise
    from lumiface.evaluation.provenance import data_name, provenance
    from lumiface.figures.console_tables import fairness_table
    from lumiface.restoration.config import RestoreConfig
    from lumiface.restoration.restorer import Restorer

    if models or data:
        raise SettingError("--fairness measures `restore` on its own set: leave out --data and the models")
    source, groups = first_of_each(*read_groups(path), limit)
    restorer = Restorer(config=RestoreConfig(scale=1), device=choose_device(device))
    with progress_bar("fairness") as progress:
        scores = measure_fairness(
            source, groups, restorer, lambda done, all_: progress(done, all_, path.name)
        )
    summary = summarise(scores) | {
        "protocol": {"data": data_name(path), "scale": 1, "darkening": "llf at full size", "seed": SEED},
        "provenance": provenance(torch.device("cpu"), 1),
    }
    Console().print(fairness_table(summary, f"restore on {path.name}, {len(source)} faces"))
    if json_file is not None:
        write_bytes(json_file, (json.dumps(summary, indent=2, allow_nan=False) + "\n").encode())


def _title(protocol: Mapping[str, Any]) -> str:
    """ "LLF on faces.tar: 300 faces, x4, seed 0"."""
    name = {"llf": "LLF"}.get(protocol["name"], protocol["name"])
    scale = f", x{protocol['scale']}" if protocol["scale"] > 1 else ""
    seed = f", seed {protocol['seed']}" if "seed" in protocol else ""
    return f"{name} on {protocol['data']}: {protocol['images']} faces{scale}{seed}"

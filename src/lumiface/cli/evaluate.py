"""`lumiface evaluate`: networks measured on the benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lumiface.core.errors import SettingError

PROTOCOLS = ("llf",)

Protocol = Annotated[str, typer.Option(help="how pictures are made bad: llf (dark, then small)")]
Scale = Annotated[int | None, typer.Option(help="enlargement; default: 4, or what the folder was built with")]
Seed = Annotated[int | None, typer.Option(help="of the darkening; default: 0, or that of the folder")]
HrSize = Annotated[
    int | None,
    typer.Option(
        help="side of the bright pictures, pixels; 0: each one's own; default: 128, or the folder's"
    ),
]


def evaluate(
    data: Annotated[
        list[str],
        typer.Option(help="faces: folder, tar, picture; or what `lumiface degrade` built; repeatable"),
    ],
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="names or files; none: the references")
    ] = None,
    protocol: Protocol = "llf",
    hr_size: HrSize = None,
    scale: Scale = None,
    seed: Seed = None,
    limit: Annotated[int | None, typer.Option(min=1, help="only so many of the first pictures")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="write the table there, too")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="write all outputs and one grid there")
    ] = None,
    references: Annotated[
        bool, typer.Option("--references/--no-references", help="bicubic, mean-gamma, SRCNN and the oracle")
    ] = True,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
    batch: Annotated[int, typer.Option(min=1, help="pictures at once")] = 16,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default: torch's choice")] = None,
) -> None:
    """Evaluate networks on a benchmark.

    The pictures are darkened and reduced by seeded numbers, so that anyone gets the same ones to the byte.
    """
    import json

    import torch
    from rich.console import Console

    from lumiface.cli.progress import progress_bar
    from lumiface.core.device import choose_device
    from lumiface.core.files import write_bytes
    from lumiface.evaluation.benchmark import evaluate as run
    from lumiface.figures.console_tables import score_table

    _check(protocol)
    if threads is not None:
        torch.set_num_threads(threads)
    with progress_bar("evaluating") as advance:
        result = run(
            models or [],
            data if len(data) > 1 else data[0],
            hr_size=hr_size,
            scale=scale,
            seed=seed,
            limit=limit,
            references=references,
            device=choose_device(device),
            batch=batch,
            pictures=pictures,
            progress=advance,
        )
    facts = result.as_dict()
    told = facts["protocol"]
    title = f"LLF on {told['data']}: {told['images']} faces, x{told['scale']}, seed {told['seed']}"
    console = Console()
    console.print(score_table(facts["rows"], title))
    for note in result.notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    if json_file is not None:
        write_bytes(json_file, (json.dumps(facts, indent=2, allow_nan=False) + "\n").encode())


def _check(protocol: str) -> None:
    if protocol not in PROTOCOLS:
        raise SettingError(f"--protocol {protocol}: there is {', '.join(PROTOCOLS)}")

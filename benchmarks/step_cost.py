"""The cost of a training step on a GPU, predicted without one; see docs/research/gpu.md.

    python benchmarks/step_cost.py --data-root DATA --json benchmarks/results/step_cost.json --state after
    python benchmarks/step_cost.py lumiface-x4-real --batch 96 --data-root DATA

Each row: kernels, waits of the host, host time (of this machine's processor), arithmetic, memory traffic, and
the step on an H100 and an H200 by the roofline. `--compiled` compiles what `compile: gpu` does. Rows of the
file are kept by state, name, batch, precision and form, so that a change can be seen.
"""

from __future__ import annotations

import argparse
import json
import math
import tarfile
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fake_gpu import CARDS, StepCost, measure_step
from lumiface.core.files import write_bytes
from lumiface.core.settings import find_config
from lumiface.registry import build
from lumiface.training.checkpoint import save_weights
from lumiface.training.config import RunConfig, TrainConfig
from lumiface.training.read_config import read_config

GENERATOR = "{data}/generator-128.safetensors"
ADVERSARIAL: dict[str, Any] = {
    "perceptual": 0.1,
    "backbone": "vgg19-conv3_1",
    "pixel": 1.0,
    "random_fidelity_prob": 0.5,
    "adversarial": 0.05,
    "gan": {"augment": {}, "path_length": 0.0},
}
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "lumiface-x4-gpu": ("lumiface-x4-gpu", {}),
    "lumiface-x4-real": ("lumiface-x4-real", {}),
    "lumiface-x4-real, plain": (
        "lumiface-x4-real",
        {"identity": 0.0, "lpips_shift": 0, "recipe": {"camera": {}, "damage": None}},
    ),
    "lfsrnet-base-gpu": ("lfsrnet-base-gpu", {}),
    "stylegan2-128": ("stylegan2-128", {}),
    "fusion-bfr-128": ("fusion-bfr-128", {"prior": GENERATOR}),
    "fusion-bfr-128, adversarial": ("fusion-bfr-128", {"prior": GENERATOR, "recipe": ADVERSARIAL}),
    "prior3d-lifter-small": ("prior3d-lifter-small", {}),
    "prior3d-prior-small": ("prior3d-prior-small", {}),
    "prior3d-small": ("prior3d-small", {"faces": 4}),
}
"""Name -> configuration, and settings that replace its own."""
LEAST_TARS = 3
"""Of 256-pixel faces that a run reads in which all faces of a batch differ; some have no landmarks."""
DARK = 4
"""Dark faces without ground truth; the prior of each takes seconds."""


def needed_faces(config: RunConfig) -> int:
    """The faces of the largest batch; the smallest input size has the most."""
    if not isinstance(config, TrainConfig):
        return config.batch
    sides = [size.side for size in config.sizes]
    return math.ceil(config.batch * (sides[0] / min(sides)) ** 2)


def few_faces(root: Path, folder: Path, number: int) -> None:
    """Tars with the first faces of each training set, and an untrained generator."""
    each = math.ceil(1.2 * number / LEAST_TARS) + 2
    sources = (*root.glob("*train*.tar"), root / "faces256-val.tar")
    for path in sources:
        count = DARK if path.name.startswith("dark") else each
        with tarfile.open(path) as source, tarfile.open(folder / path.name, "w") as target:
            for _, member in zip(range(count), source, strict=False):
                target.addfile(member, source.extractfile(member))
    for path in root.glob("*.npz"):
        (folder / path.name).symlink_to(path.resolve())
    generator: Any = build("stylegan2-128", {"channel_base": 4096})
    file = Path(GENERATOR.format(data=folder))
    save_weights(file, generator.state_dict(), method="stylegan2", config=generator.config, provenance={})


def row(cost: StepCost, config: RunConfig) -> dict[str, Any]:
    """One row of the file: rounded numbers."""
    result = asdict(cost) | {"waits": {" ".join(wait): number for wait, number in cost.waits.items()}}
    result["num_waits"] = sum(cost.waits.values())
    for name, card in CARDS.items():
        peak = card.bf16 if config.precision == "bf16-mixed" else card.tf32
        milliseconds = cost.step_ms(name)
        result |= {f"{name}_ms": milliseconds, f"{name}_share": 1e6 * cost.gflops / milliseconds * 1e6 / peak}
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in result.items()}


def print_row(name: str, values: dict[str, Any]) -> None:
    times = values["device_ms"]["H100"]
    most = max(times, key=times.get) if sum(times.values()) > values["host_ms"] else "host"
    print(
        f"{name:58} {values['kernels']:7.0f} {values['num_waits']:6.1f} {values['host_ms']:8.1f} "
        f"{values['gflops']:9.1f} {values['gib']:7.2f} {sum(times.values()):8.1f} "
        f"{values['H100_ms']:8.1f} {values['H200_ms']:8.1f} {values['H100_share']:7.1%}  {most}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help=f"of {', '.join(ROWS)}; default: all")
    parser.add_argument("--data-root", type=Path, required=True, help="folder of the training sets")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--precision", choices=["32-true", "bf16-mixed"])
    parser.add_argument("--progress", type=float, default=0.5, help="of the run: selects input sizes")
    parser.add_argument("--steps", type=int, help="averaged; default: a period of the regularisation")
    parser.add_argument(
        "--compiled",
        nargs="?",
        choices=["parts", "gpu"],
        const="gpu",
        default="never",
        help="all that `compile: gpu` compiles as Inductor's kernels; parts: what `compile: parts` does",
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--state", default="after", help="key in the file, before or after a change")
    args = parser.parse_args()
    print(f"{'':58} kernels  waits  host ms    GFLOPs     GiB  GPU ms    H100    H200 ms   share  bound by")
    for name in args.names or ROWS:
        file, changes = ROWS[name]
        overrides = changes | {"batch": args.batch, "precision": args.precision}
        config = read_config(find_config(file), overrides)
        with tempfile.TemporaryDirectory() as folder:
            few_faces(args.data_root, Path(folder), needed_faces(config))
            cost = measure_step(
                config,
                folder,
                steps=args.steps,
                progress=args.progress,
                compiled=args.compiled,
                log=lambda line: None,
            )
        values = row(cost, config)
        form = {"never": "", "parts": ", compiled parts", "gpu": ", compiled"}[args.compiled]
        key = f"{name}, batch {config.batch}, {config.precision}{form}"
        print_row(key, values)
        if args.json:
            stored = json.loads(args.json.read_text(encoding="utf-8")) if args.json.is_file() else {}
            stored.setdefault(args.state, {})[key] = values
            write_bytes(args.json, (json.dumps(stored, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()

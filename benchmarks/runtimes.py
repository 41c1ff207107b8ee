"""What the networks cost by each runtime, beside those of other projects, and how far they are from floors.

    python benchmarks/runtimes.py faces_per_s --data-root . --json benchmarks/results/speed.json

faces_per_s: faces of 128 -> 512 px per second of one core, all networks in turn, the median of the rounds:
ours by each runtime, and the architectures of GFPGAN, RestoreFormer and Real-ESRGAN with random weights (for
their time and memory alone). ratios: those of that section, in the same file. floors: arithmetic and memory
traffic of our networks over what this core reaches, beside what each runtime takes. Times are CPU-seconds of
one thread, which other processes of the machine disturb less than the clock.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from sections import current_provenance, run_section
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from lumiface.evaluation.cost import count_cost
from lumiface.registry import load_model
from lumiface.runtimes import Precision, Runtime, load_network

ROUNDS = 5
SIDE, LARGE = 128, 512
FACES = 32
"""Side of a small face, pixels, in the section `floors`."""

EAGER = "eager"
WAYS: dict[str, tuple[Runtime, Precision]] = {
    "torch": ("torch", "float32"),
    "onnx": ("onnx", "float32"),
    "openvino": ("openvino", "float32"),
    "openvino-bf16": ("openvino", "bf16"),
}
OURS = ["lumiface-x4", "lfsrnet-lite", "lfsrnet-base"]
REFERENCE = "GFPGAN"

Run = Callable[[Tensor], Any]


def others() -> dict[str, tuple[nn.Module, int]]:
    """Architectures of other projects in their published sizes, with random weights; sides of inputs."""
    from spandrel.architectures.ESRGAN import ESRGAN
    from spandrel.architectures.GFPGAN import GFPGAN
    from spandrel.architectures.RestoreFormer import RestoreFormer

    torch.manual_seed(0)
    clean = {"channel_multiplier": 2, "input_is_latent": True, "different_w": True, "sft_half": True}
    return {
        REFERENCE: (GFPGAN(out_size=LARGE, **clean).eval(), LARGE),
        "RestoreFormer": (RestoreFormer().eval(), LARGE),
        "Real-ESRGAN": (ESRGAN(scale=4, num_filters=64, num_blocks=23).eval(), SIDE),
    }


def ways_of(model: str) -> dict[str, Any]:
    """A model by each runtime; "eager" is `load_model`, in torch's own layout."""
    found: dict[str, Any] = {EAGER: load_model(model)}
    for way, (runtime, precision) in WAYS.items():
        network: Any = load_network(model, "cpu", runtime, precision)
        if getattr(network, "precision", "float32") == precision:  # else it does not run in bf16
            found[way] = network
    return found


@torch.inference_mode()
def in_turn(runs: dict[str, tuple[Run, Tensor]]) -> dict[str, float]:
    """Median CPU-seconds of each, all in turn in every round."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for round_ in range(ROUNDS + 1):
        for name, (run, picture) in runs.items():
            start = time.process_time()
            run(picture)
            if round_:  # the first prepares
                seconds[name].append(time.process_time() - start)
    return {name: median(taken) for name, taken in seconds.items()}


def faces_per_s(args: argparse.Namespace) -> dict[str, Any]:
    """A row per network and runtime."""
    runs: dict[str, tuple[Run, Tensor]] = {}
    networks: dict[str, tuple[nn.Module, int]] = {}
    for model in args.models:
        for way, run in ways_of(model).items():
            runs[f"{model}, {way}"] = (run, picture(SIDE))
        networks[model] = (load_model(model), SIDE)
    for name, (network, side) in others().items():
        runs[f"{name}, {EAGER}"] = (network, picture(side))
        networks[name] = (network, side)
    taken = in_turn(runs)
    rows: list[dict[str, Any]] = []
    costs = {name: count_cost(network, side) for name, (network, side) in networks.items()}
    for key, seconds in taken.items():
        name, way = key.split(", ")
        gflops, peak = costs[name]
        row = {"method": name, "runtime": way, "ms": round(1000 * seconds, 1)}
        rows.append(row | {"faces_per_s": round(1 / seconds, 3)})
        if way == EAGER:
            rows[-1] |= {"gflops": round(gflops, 1), "peak_mib": round(peak)}
        print(rows[-1], flush=True)
    return {"faces": f"{SIDE} -> {LARGE} px", "origin": current_provenance(), "rows": rows}


def ratios(args: argparse.Namespace) -> dict[str, Any]:
    """Faces per second of ours over GFPGAN's architecture, and of the best runtime over eager torch."""
    rows = json.loads(args.json.read_text(encoding="utf-8"))["faces_per_s"]["rows"]
    speed = {(row["method"], row["runtime"]): row["faces_per_s"] for row in rows}
    found: dict[str, Any] = {}
    for model in args.models:
        by_way = {way: value for (method, way), value in speed.items() if method == model}
        exact = {way: value for way, value in by_way.items() if "bf16" not in way}
        best, best32 = max(by_way, key=lambda way: by_way[way]), max(exact, key=lambda way: exact[way])
        reference = speed[REFERENCE, EAGER]
        found[model] = {
            "best": best,
            "over_gfpgan": round(by_way[best] / reference, 1),
            "over_eager": round(by_way[best] / by_way[EAGER], 2),
            "best_float32": best32,
            "float32_over_gfpgan": round(exact[best32] / reference, 1),
            "float32_over_eager": round(exact[best32] / by_way[EAGER], 2),
        }
        print(model, found[model])
    return found


class LayerTraffic(TorchDispatchMode):
    """Counts convolutions and matrix products: their operations, and the bytes that they read and write.

    All else (activations, sums, layouts) could be computed on the way and is not counted.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops, self.bytes = 0.0, 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        from torch.utils.flop_counter import flop_registry

        result = func(*args, **(kwargs or {}))
        count = flop_registry.get(func.overloadpacket)
        if count is not None:
            self.flops += float(count(*args, **(kwargs or {}), out_val=result))
            tensors = [each for each in (*args, result) if isinstance(each, Tensor)]
            self.bytes += float(sum(each.numel() * each.element_size() for each in tensors))
        return result


def reached() -> dict[str, float]:
    """What this core reaches: matrix products of 2048 in float32 and bf16, and a copy of 256 MiB."""
    best: dict[str, float] = {}
    for dtype, name in ((torch.float32, "gflops_float32"), (torch.bfloat16, "gflops_bf16")):
        matrix = torch.rand(2048, 2048).to(dtype)
        best[name] = 2 * 2048**3 / shortest(lambda matrix=matrix: matrix @ matrix) / 1e9
    source = torch.rand(64 * 2**20)
    target = torch.empty_like(source)
    best["gb_per_s"] = 2 * source.nbytes / shortest(lambda: target.copy_(source)) / 1e9
    return best


def shortest(run: Callable[[], Any]) -> float:
    """CPU-seconds of the fastest of some runs."""
    taken: list[float] = []
    for _ in range(ROUNDS + 2):
        start = time.process_time()
        run()
        taken.append(time.process_time() - start)
    return min(taken)


def floors(args: argparse.Namespace) -> dict[str, Any]:
    """A row per network and size: its floor in float32 and in bf16, and the time of each runtime."""
    machine = reached()
    print(machine)
    rows: list[dict[str, Any]] = []
    for model in args.models:
        ways = ways_of(model)
        for side in (FACES, SIDE):
            with torch.no_grad(), LayerTraffic() as layers:  # in inference mode layers are not taken apart
                ways[EAGER](picture(side))
            bytes_ms = layers.bytes / machine["gb_per_s"] / 1e6
            taken = in_turn({way: (run, picture(side)) for way, run in ways.items()})
            floor = max(layers.flops / machine["gflops_float32"] / 1e6, bytes_ms)
            floor16 = max(layers.flops / machine["gflops_bf16"] / 1e6, bytes_ms / 2)
            rows.append(
                {
                    "model": model,
                    "side": side,
                    "gflops": round(layers.flops / 1e9, 2),
                    "mib": round(layers.bytes / 2**20, 1),
                    "floor_ms": round(floor, 2),
                    "floor_bf16_ms": round(floor16, 2),
                    "ms": {way: round(1000 * seconds, 1) for way, seconds in taken.items()},
                }
            )
            print(rows[-1], flush=True)
    return {
        "reached": {k: round(v, 1) for k, v in machine.items()},
        "origin": current_provenance(),
        "rows": rows,
    }


def picture(side: int) -> Tensor:
    """A dark ramp (1, 3, side, side)."""
    return torch.linspace(0.05, 0.3, side).expand(1, 3, side, side).contiguous()


SECTIONS = {"faces_per_s": faces_per_s, "ratios": ratios, "floors": floors}
MODELS = {"faces_per_s": OURS, "ratios": OURS, "floors": [*OURS, "lfsrnet-paper"]}


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    run_section(__doc__, SECTIONS, MODELS)

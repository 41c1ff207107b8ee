"""Evaluation on a benchmark: methods and reference rows over the same pictures, as one table.

The pictures are built (or read from a folder that was built), scored and dropped batch by batch, so that a
set of any size fits in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lumiface.core.errors import InputError, SettingError
from lumiface.data.benchmarks.ground_truth import pixel_sha256
from lumiface.data.faults import Faults
from lumiface.evaluation.accumulate import ScoreAccumulator
from lumiface.evaluation.batches import batches_of_one_size, stack_images
from lumiface.evaluation.bootstrap import RESAMPLES
from lumiface.evaluation.metric_suite import METRICS
from lumiface.evaluation.output_writer import OutputWriter
from lumiface.evaluation.protocols import BENCHMARKS, BenchmarkName, Case, open_benchmark
from lumiface.evaluation.provenance import data_name, pairs_hash, provenance
from lumiface.evaluation.reference_rows import ORACLE, REFERENCES, Parameters, Reference
from lumiface.evaluation.rows import Evaluation, Row
from lumiface.evaluation.sized_suite import SizedSuite
from lumiface.imaging.quantize import quantize
from lumiface.registry import load_model, read_metadata, shipped_weights


def conventions(protocol: BenchmarkName) -> dict[str, str]:
    """What each column of a benchmark's table means, for the files."""
    metrics = BENCHMARKS[protocol].metrics
    interval = f"95 % interval of the mean, bootstrap over the pictures, {RESAMPLES} resamples"
    return {name: METRICS[name].convention for name in metrics} | {
        "outputs": "clipped, rounded to 8 bits",
        f"{metrics[0]}_ci": interval,
    }


@dataclass(frozen=True, slots=True)
class _Entry:
    """A network or a reference, and its scores so far."""

    name: str
    run: Reference
    params: int
    is_reference: bool
    scores: ScoreAccumulator = field(default_factory=ScoreAccumulator)

    def row(self, metrics: Sequence[str], targets: ScoreAccumulator) -> Row:
        found = {
            name: self.scores.set_distance(name, targets)
            if METRICS[name].kind == "set"
            else self.scores.score(name)
            for name in metrics
        }
        images = len(self.scores.names)
        seconds = self.scores.sums["seconds"]
        return Row(
            self.name,
            scores={name: score.value for name, score in found.items()},
            intervals={name: s.interval for name, s in found.items() if METRICS[name].kind != "set"},
            measured={name: score.images for name, score in found.items()},
            images=images,
            sums={name: int(total) for name, total in self.scores.sums.items() if name != "seconds"},
            ms_per_face=1000.0 * seconds / images,
            params=self.params,
        )


def evaluate(
    methods: Sequence[str | Path] | Mapping[str, str],
    source: str | Path | Sequence[str | Path],
    *,
    protocol: str = "llf",
    hr_size: int | None = None,
    scale: int | None = None,
    seed: int | None = None,
    limit: int | None = None,
    references: bool = True,
    device: torch.device | str = "cpu",
    batch: int = 16,
    pictures: Path | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    skip_bad: bool | None = None,
    log: Callable[[str], None] = print,
) -> Evaluation:
    """Score trained networks and references on one set of faces.

    Args:
        methods: what `load_model` loads: names, files that `lumiface train` wrote, chains of two; or a
            mapping from the names of the rows to these.
        source: faces (folders, tars, pictures), which are degraded here; or a folder that `lumiface degrade`
            built.
        protocol: the benchmark; see `protocols`.
        hr_size: size of the clean pictures, pixels, 0 for each picture's own; None: the protocol's, or the
            built folder's. Likewise `scale` (1, except for llf) and `seed` (0).
        limit: number of pictures, from the first on.
        references: add the protocol's reference rows; for llf also SRCNN, where it ships.
        batch: pictures per forward pass.
        pictures: folder for every method's outputs and one grid.
        progress: called with (pictures done, pictures in all or None).
        skip_bad: leave out pictures that cannot be used, with a line of `log` for each; see `Faults`. All are
            checked before the first is measured; a built folder must be whole.

    Raises:
        InputError: a model or the data cannot be read; the message names all pictures that cannot be used.
        SettingError: there is no such protocol, a network has another scale, or settings contradict those of
            the built folder.
    """
    device = torch.device(device)
    opened = source if isinstance(source, str | Path) else list(source)
    benchmark = open_benchmark(
        protocol,
        opened,
        hr_size=hr_size,
        scale=scale,
        seed=seed,
        limit=limit,
        faults=Faults(skip_bad, log),
    )
    metrics = BENCHMARKS[benchmark.name].metrics
    models = methods if isinstance(methods, Mapping) else {str(method): str(method) for method in methods}
    entries = [_load(name, model, benchmark.scale, device) for name, model in models.items()]
    if references:
        entries = _with_references(entries, benchmark.name, benchmark.scale, device)
    if not entries:
        raise SettingError("nothing to evaluate: name a model, or leave the references in")
    for entry in entries:
        entry.scores.seed = benchmark.seed
    suite = SizedSuite(device, metrics, with_reference=not benchmark.name.startswith("real"))
    writer = None if pictures is None else OutputWriter(pictures)

    count = benchmark.count if limit is None or benchmark.count is None else min(limit, benchmark.count)
    hashes: list[str] = []
    names: list[str] = []
    all_parameters: list[Mapping[str, float | int]] = []
    targets_scores = ScoreAccumulator()
    for chunk in batches_of_one_size(islice(benchmark.cases, limit), lambda case: case.input, batch):
        inputs = stack_images([case.input for case in chunk], device)
        clean = [case.target for case in chunk if case.target is not None]
        targets = stack_images(clean, device) if clean else None
        parameters = [case.parameters for case in chunk]
        faces = None if targets is None else suite.find_faces(targets)
        if targets is not None:
            targets_scores.add_features(suite.features(targets))
        chunk_names = [case.name for case in chunk]
        outputs: dict[str, Tensor] = {}
        for entry in entries:
            output, seconds = _run_timed(entry.run, inputs, parameters, chunk[0].size, warm_up=not hashes)
            scores, sums = suite.measure(output, targets, faces)
            entry.scores.add(scores, chunk_names, sums | {"seconds": seconds})
            entry.scores.add_features(suite.features(output))
            if not entry.is_reference or not methods:
                outputs[entry.name] = output
        if writer is not None:
            writer.write(chunk_names, inputs, targets, outputs)
        names += chunk_names
        all_parameters += parameters
        hashes += [_hash(case) for case in chunk]
        if progress is not None:
            progress(len(hashes), count)
    if not hashes:
        raise InputError(f"{data_name(source)}: no picture to evaluate on; check limit")
    if writer is not None:
        writer.write_grid()

    about: dict[str, Any] = {
        "name": benchmark.name,
        "data": data_name(source),
        **benchmark.settings,
        "images": len(hashes),
        "limit": limit,
        "conventions": conventions(benchmark.name),
        "pairs_sha256": pairs_hash(hashes),
        **provenance(device, batch),
    }
    return Evaluation(
        about,
        metrics,
        [entry.row(metrics, targets_scores) for entry in entries],
        suite.notes,
        names,
        all_parameters,
        {entry.name: entry.scores.as_lists() for entry in entries},
    )


def _hash(case: Case) -> str:
    """Name and digests of a case's pictures, the smaller one first."""
    target = "" if case.target is None else f" {pixel_sha256(case.target)}"
    return f"{case.name} {pixel_sha256(case.input)}{target}"


def _load(name: str, model: str, scale: int, device: torch.device, *, is_reference: bool = False) -> _Entry:
    network = load_model(model, device)
    config: Any = network.config
    if config.scale != scale:
        raise SettingError(
            f"{name} enlarges {config.scale} times, not {scale}; evaluate it at scale {config.scale}"
        )

    def run(inputs: Tensor, parameters: Parameters, size: tuple[int, int]) -> Tensor:
        del parameters, size
        return network(inputs)

    return _Entry(name, run, _count_parameters(network), is_reference)


def _with_references(
    entries: list[_Entry], protocol: BenchmarkName, scale: int, device: torch.device
) -> list[_Entry]:
    """The table's order: simple references first, the requested methods next, the oracle last."""
    simple = {name: _Entry(name, run, 0, True) for name, run in REFERENCES[protocol].items()}
    last = [simple.pop(ORACLE)] if ORACLE in simple else []
    if protocol != "llf":
        return [*simple.values(), *entries, *last]
    trained: list[_Entry] = []
    shipped = shipped_weights().get("srcnn")
    is_requested = "srcnn" in [entry.name for entry in entries]
    if shipped is not None and not is_requested and read_metadata(shipped)["config"]["scale"] == scale:
        trained.append(_load("srcnn", "srcnn", scale, device, is_reference=True))
    return [*simple.values(), *trained, *entries, *last]


@torch.inference_mode()
def _run_timed(
    run: Reference, inputs: Tensor, parameters: Parameters, size: tuple[int, int], *, warm_up: bool
) -> tuple[Tensor, float]:
    """The method's output as an 8-bit file holds it, and the seconds that it took."""
    if warm_up:  # the first call of a network also allocates memory and loads kernels
        run(inputs, parameters, size)
    _synchronize(inputs.device)
    start = time.perf_counter()
    output = run(inputs, parameters, size)
    _synchronize(inputs.device)
    seconds = time.perf_counter() - start
    return quantize(output), seconds


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _count_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())

"""Evaluation on the LLF benchmark: methods and reference rows over the same pairs, as one table.

The pairs are built (or read from a folder that was built), scored and dropped batch by batch, so that a set
of any size fits in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lumiface.core.errors import InputError, SettingError
from lumiface.data.benchmarks.llf import LLFPair, LLFSettings, llf_check, llf_pairs, pixel_sha256
from lumiface.data.benchmarks.llf_files import MANIFEST, built_settings, load_llf
from lumiface.data.faults import Faults, usable_pictures
from lumiface.data.sources import open_source
from lumiface.degradations.lowlight import DarkeningBatch
from lumiface.evaluation.accumulate import ScoreAccumulator
from lumiface.evaluation.batches import batches_of_one_size, stack_images
from lumiface.evaluation.bootstrap import RESAMPLES, Interval
from lumiface.evaluation.metric_suite import METRICS, MetricSuite
from lumiface.evaluation.output_writer import OutputWriter
from lumiface.evaluation.provenance import data_name, pairs_hash, provenance
from lumiface.evaluation.reference_rows import REFERENCES, Reference
from lumiface.imaging.quantize import quantize
from lumiface.registry import load_model, read_metadata, shipped_weights

TABLE_METRICS = ("psnr_y", "ssim_y", "lpips_squeeze", "landmark_px")

CONVENTIONS = {name: METRICS[name].convention for name in TABLE_METRICS} | {
    "outputs": "clipped, rounded to 8 bits",
    "psnr_y_ci": f"95 % interval of the mean, bootstrap over the pictures, {RESAMPLES} resamples",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One method's row of the table.

    Attributes:
        psnr_y: mean PSNR-Y, dB; None where it is infinite: an output equal to its target.
        ssim_y: mean SSIM-Y.
        lpips_squeeze: mean LPIPS with SqueezeNet; None where it cannot be measured on this machine.
        landmark_px: mean landmark error, pixels of the target; None where no face was found.
        images: number of pictures.
        psnr_y_ci: 95 % interval of mean PSNR-Y over the choice of pictures (bootstrap).
        landmark_images: number of pictures that have a landmark error.
        no_face_in_target: pictures whose target has no face for the detector.
        no_face_in_output: pictures whose target has a face and whose output has none.
        ms_per_face: time of the method alone, milliseconds.
        params: number of trained parameters.
    """

    method: str
    psnr_y: float | None
    ssim_y: float | None
    lpips_squeeze: float | None
    landmark_px: float | None
    images: int
    psnr_y_ci: Interval | None
    landmark_images: int
    no_face_in_target: int
    no_face_in_output: int
    ms_per_face: float
    params: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The table: how it was measured, its rows, and what could not be measured.

    Attributes:
        names, gammas: of each picture, in order; γ of its darkening.
        per_image: method -> metric -> one score per picture; None where it could not be measured.
    """

    protocol: dict[str, Any]
    rows: list[Row]
    notes: list[str]
    names: list[str]
    gammas: list[float]
    per_image: dict[str, dict[str, list[float | None]]]

    def as_dict(self) -> dict[str, Any]:
        """The content of the JSON file."""
        notes = {"notes": self.notes} if self.notes else {}
        return {"protocol": self.protocol | notes, "rows": [row.as_dict() for row in self.rows]}


@dataclass(frozen=True, slots=True)
class _Entry:
    """A network or a reference, and its scores so far."""

    name: str
    run: Reference
    params: int
    is_reference: bool
    scores: ScoreAccumulator = field(default_factory=ScoreAccumulator)

    def row(self) -> Row:
        found = {name: self.scores.score(name) for name in TABLE_METRICS}
        images = len(self.scores.names)
        return Row(
            self.name,
            *(found[name].value for name in TABLE_METRICS),
            images=images,
            psnr_y_ci=found["psnr_y"].interval,
            landmark_images=found["landmark_px"].images,
            no_face_in_target=int(self.scores.sums["no_face_in_target"]),
            no_face_in_output=int(self.scores.sums["no_face_in_output"]),
            ms_per_face=1000.0 * self.scores.sums["seconds"] / images,
            params=self.params,
        )


def evaluate(
    methods: Sequence[str | Path] | Mapping[str, str],
    source: str | Path | Sequence[str | Path],
    *,
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
        source: faces (folders, tars, pictures), which are darkened here; or a folder that `lumiface degrade`
            built.
        hr_size: size of the bright pictures, pixels, 0 for each picture's own; None: 128, or the built
            folder's. Likewise `scale` (4) and `seed` (0).
        limit: number of pictures, from the first on.
        references: add bicubic, mean-gamma + bicubic, SRCNN (where it ships) and the oracle.
        batch: pictures per forward pass.
        pictures: folder for every method's outputs and one grid.
        progress: called with (pictures done, pictures in all or None).
        skip_bad: leave out pictures that cannot be used, with a line of `log` for each; see `Faults`. All are
            checked before the first is measured; a built folder must be whole.

    Raises:
        InputError: a model or the data cannot be read; the message names all pictures that cannot be used.
        SettingError: a network has another scale, or settings contradict those of the built folder.
    """
    device = torch.device(device)
    settings, pairs, count = _open(source, hr_size, scale, seed, limit, Faults(skip_bad, log))
    models = methods if isinstance(methods, Mapping) else {str(method): str(method) for method in methods}
    entries = [_load(name, model, settings.scale, device) for name, model in models.items()]
    if references:
        entries = _with_references(entries, settings.scale, device)
    if not entries:
        raise SettingError("nothing to evaluate: name a model, or leave the references in")
    for entry in entries:
        entry.scores.seed = settings.seed
    suite = MetricSuite(device, with_reference=True, only=TABLE_METRICS)
    writer = None if pictures is None else OutputWriter(pictures)

    count = count if limit is None or count is None else min(limit, count)
    hashes: list[str] = []
    names: list[str] = []
    gammas: list[float] = []
    for chunk in batches_of_one_size(islice(pairs, limit), lambda pair: pair.hr, batch):
        inputs = stack_images([pair.lr for pair in chunk], device)
        targets = stack_images([pair.hr for pair in chunk], device)
        darkening = _darkening_batch(chunk, device)
        faces = suite.find_faces(targets)
        chunk_names = [pair.name for pair in chunk]
        outputs: dict[str, Tensor] = {}
        for entry in entries:
            output, seconds = _run_timed(entry.run, inputs, darkening, targets, warm_up=not hashes)
            found = suite.measure(output, targets, faces)
            entry.scores.add(found.scores, chunk_names, found.sums | {"seconds": seconds})
            if not entry.is_reference or not methods:
                outputs[entry.name] = output
        if writer is not None:
            writer.write(chunk_names, inputs, targets, outputs)
        names += chunk_names
        gammas += [pair.darkening.gamma for pair in chunk]
        hashes += [f"{pair.name} {pixel_sha256(pair.lr)} {pixel_sha256(pair.hr)}" for pair in chunk]
        if progress is not None:
            progress(len(hashes), count)
    if not hashes:
        raise InputError(f"{data_name(source)}: no picture to evaluate on; check limit")
    if writer is not None:
        writer.write_grid()

    protocol: dict[str, Any] = {
        "name": "llf",
        "data": data_name(source),
        **asdict(settings),
        "images": len(hashes),
        "limit": limit,
        "conventions": CONVENTIONS,
        "pairs_sha256": pairs_hash(hashes),
        **provenance(device, batch),
    }
    per_image = {entry.name: entry.scores.as_lists() for entry in entries}
    return Evaluation(protocol, [entry.row() for entry in entries], suite.notes, names, gammas, per_image)


def _open(
    source: str | Path | Sequence[str | Path],
    hr_size: int | None,
    scale: int | None,
    seed: int | None,
    limit: int | None,
    faults: Faults,
) -> tuple[LLFSettings, Iterable[LLFPair], int | None]:
    """The settings, the pairs, and their number (None where it is not known in advance)."""
    options: dict[str, int | None] = {"hr_size": hr_size, "scale": scale, "seed": seed}
    requested: dict[str, Any] = {key: value for key, value in options.items() if value is not None}
    if hr_size == 0:
        requested["hr_size"] = None
    if isinstance(source, str | Path) and (Path(source) / MANIFEST).is_file():
        settings, count = built_settings(source)
        for key, value in requested.items():
            if value != getattr(settings, key):
                raise SettingError(
                    f"{source} was built with {key} {getattr(settings, key)}, not {value}; leave {key} out"
                )
        return settings, load_llf(source), count
    settings = replace(LLFSettings(), **requested)
    faces = open_source(source)
    faces = usable_pictures(faces if limit is None else faces.first(limit), llf_check(settings), faults)
    return settings, llf_pairs(faces, settings), len(faces)


def _load(name: str, model: str, scale: int, device: torch.device, *, is_reference: bool = False) -> _Entry:
    network = load_model(model, device)
    config: Any = network.config
    if config.scale != scale:
        raise SettingError(
            f"{name} enlarges {config.scale} times, not {scale}; evaluate it at scale {config.scale}"
        )

    def run(inputs: Tensor, darkening: DarkeningBatch, size: tuple[int, int]) -> Tensor:
        del darkening, size
        return network(inputs)

    return _Entry(name, run, _count_parameters(network), is_reference)


def _with_references(entries: list[_Entry], scale: int, device: torch.device) -> list[_Entry]:
    """The table's order: simple references first, the requested methods next, the oracle last."""
    simple = {name: _Entry(name, run, 0, True) for name, run in REFERENCES.items()}
    oracle = simple.pop("oracle")
    trained: list[_Entry] = []
    shipped = shipped_weights().get("srcnn")
    is_requested = "srcnn" in [entry.name for entry in entries]
    if shipped is not None and not is_requested and read_metadata(shipped)["config"]["scale"] == scale:
        trained.append(_load("srcnn", "srcnn", scale, device, is_reference=True))
    return [*simple.values(), *trained, *entries, oracle]


def _darkening_batch(chunk: Sequence[LLFPair], device: torch.device) -> DarkeningBatch:
    rows = torch.tensor([[d.alpha, d.beta, d.gamma] for d in (pair.darkening for pair in chunk)])
    alpha, beta, gamma = rows.to(device).unbind(1)
    return DarkeningBatch(alpha, beta, gamma, chunk[0].darkening.noise)


@torch.inference_mode()
def _run_timed(
    run: Reference, inputs: Tensor, darkening: DarkeningBatch, targets: Tensor, *, warm_up: bool
) -> tuple[Tensor, float]:
    """The method's output as an 8-bit file holds it, and the seconds that it took."""
    height, width = targets.shape[-2:]
    if warm_up:  # the first call of a network also allocates memory and loads kernels
        run(inputs, darkening, (height, width))
    _synchronize(inputs.device)
    start = time.perf_counter()
    output = run(inputs, darkening, (height, width))
    _synchronize(inputs.device)
    seconds = time.perf_counter() - start
    return quantize(output), seconds


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _count_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())

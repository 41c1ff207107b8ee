"""Evaluation on the LLF benchmark: methods and references over the same pairs, one table.

The pairs are built (or read from a folder that was built), scored and forgotten batch by batch, so that a set
of any size fits in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lumiface.core.errors import InputError, SettingError
from lumiface.data.benchmarks.llf import LLFPair, LLFSettings, llf_pairs, pixel_sha256
from lumiface.data.benchmarks.llf_files import MANIFEST, built_settings, load_llf
from lumiface.data.sources import open_source
from lumiface.degradations.lowlight import DarkeningBatch
from lumiface.evaluation.accumulate import Row, Scorer, Tally
from lumiface.evaluation.output_writer import OutputWriter
from lumiface.evaluation.provenance import data_name, origin, pairs_hash
from lumiface.evaluation.reference_rows import REFERENCES, Reference
from lumiface.imaging.quantize import from_uint8, quantize
from lumiface.registry import load_model, read_metadata, shipped_weights

CONVENTIONS = {
    "psnr_y": "dB, Y of BT.601 in the limited range, peak 255, no crop",
    "ssim_y": "Y as above, Gaussian window 11x11, sigma 1.5, no crop",
    "lpips_squeeze": "LPIPS v0.1, SqueezeNet 1.1, RGB",
    "landmark_px": "mean distance of MTCNN's five points, pixels of the bright picture, same box for both; "
    "pictures without a face are counted in no_face_in_target and no_face_in_output",
    "outputs": "clipped, rounded to 8 bits",
    "psnr_y_ci": "95 % interval of the mean, bootstrap over the pictures, 2000 resamples",
}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The table: how it was made, its rows, and what could not be measured.

    Attributes:
        names, gammas: of each picture, in order; γ is the darkening's.
        per_image: method -> column -> one number a picture; None where it could not be measured.
    """

    protocol: dict[str, Any]
    rows: list[Row]
    notes: list[str]
    names: list[str]
    gammas: list[float]
    per_image: dict[str, dict[str, list[float | None]]]

    def as_dict(self) -> dict[str, Any]:
        """What the JSON file holds."""
        notes = {"notes": self.notes} if self.notes else {}
        return {"protocol": self.protocol | notes, "rows": [row.as_dict() for row in self.rows]}


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    run: Reference
    params: int
    tally: Tally
    is_reference: bool


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
) -> Evaluation:
    """Score trained networks and references on one set of faces.

    Args:
        methods: what `load_model` loads: names, files that `lumiface train` wrote, chains of two; or, where
            the table shall call them otherwise, such a name for each of its own.
        source: faces (folders, tars, pictures), darkened here; or a folder that `lumiface degrade` built.
        hr_size: side of the bright pictures, pixels, 0 for each picture's own; None: 128, or what the folder
            was built with. Likewise `scale` (4) and `seed` (0).
        limit: only so many of the first pictures.
        references: score bicubic, mean-gamma + bicubic, SRCNN (where it ships) and the oracle, too.
        batch: pictures that go through a network at once.
        pictures: folder for every method's outputs and one grid.
        progress: called with (pictures done, pictures in all or None).

    Raises:
        InputError: a model or the data cannot be read.
        SettingError: a network enlarges by another scale; settings contradict those of the built folder.
    """
    device = torch.device(device)
    settings, pairs, count = _open(source, hr_size, scale, seed)
    named = methods if isinstance(methods, Mapping) else {str(method): str(method) for method in methods}
    contenders = [_network(name, model, settings.scale, device) for name, model in named.items()]
    if references:
        contenders = _with_references(contenders, settings.scale, device)
    if not contenders:
        raise SettingError("nothing to evaluate: name a model, or leave the references in")
    scorer = Scorer(device)
    keeper = None if pictures is None else OutputWriter(pictures)

    count = count if limit is None or count is None else min(limit, count)
    hashes: list[str] = []
    names: list[str] = []
    gammas: list[float] = []
    for chunk in _chunks(islice(pairs, limit), batch):
        low = _stack([pair.lr for pair in chunk]).to(device)
        high = _stack([pair.hr for pair in chunk]).to(device)
        faces = scorer.find_faces(high)
        outputs: dict[str, Tensor] = {}
        for contender in contenders:
            output = _timed(contender, low, _darkenings(chunk, device), high, warm_up=not hashes)
            scorer.measure(output, high, faces, contender.tally)
            if not contender.is_reference or not methods:
                outputs[contender.name] = output
        if keeper is not None:
            keeper.keep([pair.name for pair in chunk], low, high, outputs)
        names += [pair.name for pair in chunk]
        gammas += [pair.darkening.gamma for pair in chunk]
        hashes += [f"{pair.name} {pixel_sha256(pair.lr)} {pixel_sha256(pair.hr)}" for pair in chunk]
        if progress is not None:
            progress(len(hashes), count)
    if not hashes:
        raise InputError(f"{data_name(source)}: no picture to evaluate on; check limit")
    if keeper is not None:
        keeper.write_grid()

    protocol: dict[str, Any] = {
        "name": "llf",
        "data": data_name(source),
        **asdict(settings),
        "images": len(hashes),
        "limit": limit,
        "conventions": CONVENTIONS,
        "pairs_sha256": pairs_hash(hashes),
        **origin(device, batch),
    }
    rows = [c.tally.row(c.name, c.params, settings.seed) for c in contenders]
    per_image = {c.name: c.tally.per_image() for c in contenders}
    return Evaluation(protocol, rows, scorer.notes, names, gammas, per_image)


def _open(
    source: str | Path | Sequence[str | Path], hr_size: int | None, scale: int | None, seed: int | None
) -> tuple[LLFSettings, Iterable[LLFPair], int | None]:
    """The settings, the pairs, and how many there are (None where only the end will tell)."""
    asked: dict[str, int | None] = {"hr_size": hr_size, "scale": scale, "seed": seed}
    wanted: dict[str, Any] = {key: value for key, value in asked.items() if value is not None}
    if hr_size == 0:
        wanted["hr_size"] = None
    if isinstance(source, str | Path) and (Path(source) / MANIFEST).is_file():
        settings, count = built_settings(source)
        for key, value in wanted.items():
            if value != getattr(settings, key):
                raise SettingError(
                    f"{source} was built with {key} {getattr(settings, key)}, not {value}; leave {key} out"
                )
        return settings, load_llf(source), count
    settings = replace(LLFSettings(), **wanted)
    found = open_source(source)
    return settings, llf_pairs(found, settings), len(found)


def _network(
    name: str, model: str, scale: int, device: torch.device, *, is_reference: bool = False
) -> _Entry:
    network = load_model(model, device)
    config: Any = network.config
    if config.scale != scale:
        raise SettingError(
            f"{name} enlarges {config.scale} times, not {scale}; evaluate it at scale {config.scale}"
        )

    def run(low: Tensor, darkening: DarkeningBatch, size: tuple[int, int]) -> Tensor:
        del darkening, size
        return network(low)

    return _Entry(name, run, _parameters(network), Tally(), is_reference)


def _with_references(asked: list[_Entry], scale: int, device: torch.device) -> list[_Entry]:
    """The table's order: simple references first, what was asked for next, the oracle last."""
    simple = {name: _Entry(name, run, 0, Tally(), True) for name, run in REFERENCES.items()}
    last = simple.pop("oracle")
    trained: list[_Entry] = []
    shipped = shipped_weights().get("srcnn")
    is_asked = "srcnn" in [contender.name for contender in asked]
    if shipped is not None and not is_asked and read_metadata(shipped)["config"]["scale"] == scale:
        trained.append(_network("srcnn", "srcnn", scale, device, is_reference=True))
    return [*simple.values(), *trained, *asked, last]


def _chunks(pairs: Iterable[LLFPair], size: int) -> Iterator[list[LLFPair]]:
    """Up to `size` pairs of one shape at a time, in order."""
    chunk: list[LLFPair] = []
    for pair in pairs:
        if chunk and (len(chunk) == size or pair.hr.shape != chunk[0].hr.shape):
            yield chunk
            chunk = []
        chunk.append(pair)
    if chunk:
        yield chunk


def _stack(pictures: Sequence[npt.NDArray[np.uint8]]) -> Tensor:
    """(H, W, 3) uint8 each -> (B, 3, H, W) float32 in [0, 1]. Copied: decoders' arrays may be read-only."""
    return torch.cat([from_uint8(picture.copy()) for picture in pictures])


def _darkenings(chunk: Sequence[LLFPair], device: torch.device) -> DarkeningBatch:
    rows = torch.tensor([[d.alpha, d.beta, d.gamma] for d in (pair.darkening for pair in chunk)])
    alpha, beta, gamma = rows.to(device).unbind(1)
    return DarkeningBatch(alpha, beta, gamma, chunk[0].darkening.noise)


@torch.inference_mode()
def _timed(
    contender: _Entry, low: Tensor, darkening: DarkeningBatch, high: Tensor, *, warm_up: bool
) -> Tensor:
    """The method's output as an 8-bit file holds it; its time goes on the tally."""
    height, width = high.shape[-2:]
    if warm_up:  # the first call of a network pays for memory and kernels
        contender.run(low, darkening, (height, width))
    _wait_for(low.device)
    started = time.perf_counter()
    output = contender.run(low, darkening, (height, width))
    _wait_for(low.device)
    contender.tally.seconds += time.perf_counter() - started
    return quantize(output)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())

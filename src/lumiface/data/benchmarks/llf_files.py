"""An LLF set on disk: OUT/hr/*.png, OUT/lr/*.png and OUT/manifest.jsonl, one line per pair; see `pair_files`.

A line contains the file's name, α, β, γ, the noise, the settings, and SHA-256 of the source file's bytes and
of the pixels of HR and LR.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from lumiface.data.benchmarks.llf import LLFPair, LLFSettings, build_pair, llf_check
from lumiface.data.benchmarks.pair_files import MANIFEST as MANIFEST
from lumiface.data.benchmarks.pair_files import (
    PairKind,
    Pixels,
    Record,
    build_pairs,
    load_pairs,
    read_built,
)
from lumiface.data.sources import Paths, PictureSource
from lumiface.degradations.lowlight import Darkening, DarkeningRanges

SIDES = ("hr", "lr")


def build_llf(
    source: PictureSource | Paths,
    out: str | Path,
    settings: LLFSettings,
    progress: Callable[[int, int], None] | None = None,
    *,
    skip_bad: bool | None = None,
    log: Callable[[str], None] = print,
) -> Path:
    """Build a set, or resume an interrupted build; see `pair_files.build_pairs`."""

    def build(data: bytes, name: str) -> tuple[Mapping[str, Pixels], Record]:
        pair = build_pair(data, name, settings)
        parameters = {name: getattr(pair.darkening, name) for name in ("alpha", "beta", "gamma")}
        return {"hr": pair.hr, "lr": pair.lr}, parameters

    kind = PairKind(SIDES, _settings_record(settings), build, llf_check(settings))
    return build_pairs(source, out, kind, progress, skip_bad=skip_bad, log=log)


def load_llf(folder: str | Path) -> Iterator[LLFPair]:
    """The pairs of a set on disk, in the manifest's order, each checked against its hashes.

    Raises:
        InputError: no manifest, a missing file, or pixels that do not match the manifest.
    """
    for record, pixels in load_pairs(folder, SIDES):
        darkening = Darkening(record["alpha"], record["beta"], record["gamma"], record["noise"])
        yield LLFPair(record["source"], pixels["hr"], pixels["lr"], darkening, record["source_sha256"])


def built_settings(folder: str | Path) -> tuple[LLFSettings, int]:
    """The settings of a set on disk, and the number of its pairs.

    Raises:
        InputError: no manifest, an empty or a damaged one, or one of another protocol.
    """

    def read(record: Record) -> LLFSettings:
        alpha, beta, gamma = (tuple(limits) for limits in record["ranges"])
        ranges = DarkeningRanges(alpha, beta, gamma, record["noise"])
        return LLFSettings(record["hr_size"], record["scale"], record["seed"], ranges)

    return read_built(folder, "llf", read)


def _settings_record(settings: LLFSettings) -> Record:
    return {
        "seed": settings.seed,
        "scale": settings.scale,
        "hr_size": settings.hr_size,
        "ranges": [list(settings.ranges.alpha), list(settings.ranges.beta), list(settings.ranges.gamma)],
        "noise": settings.ranges.noise,
    }

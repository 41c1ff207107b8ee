"""Test sets of damage that keeps the size: good faces, and the same made bad.

Pair by pair, as the LLF benchmark does: decode; crop the middle square and reduce it to `size` (or keep the
native size); round to 8 bits: this is the good side. Damage it by a protocol: this is the bad side.

    frr     dark, blurred, noisy, compressed (`degradations.frr`)
    blind   blurred, reduced, noisy, compressed, shifted in colour (`degradations.blind`)

Every picture has a random generator of its own, seeded by (seed, name): neither order nor subset matters.
The arithmetic is float64 on the CPU, and its results are rounded to 8 bits before JPEG and after. One
installation therefore builds equal bytes always; another processor or torch differs in the sixteenth digit,
which a rounding would have to meet by chance: then, and only then, one level or one JPEG coefficient moves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor

from lumiface.core.errors import SettingError
from lumiface.data.benchmarks.ground_truth import ground_truth, picture_seed
from lumiface.data.benchmarks.pair_files import PairKind, Pixels, Record, build_pairs, load_pairs
from lumiface.data.sources import Paths, PictureSource
from lumiface.degradations import blind, frr
from lumiface.degradations.parameters import SampledParameters
from lumiface.imaging.io import decode_rgb8

ProtocolName = Literal["frr", "blind"]


@dataclass(frozen=True, slots=True)
class Protocol:
    """One kind of damage.

    Attributes:
        sides: what the folders of good and bad pictures are called.
        config: the class of its ranges.
        draw: side of the picture, ranges and generator -> the damage of one picture, in float64.
        apply: a picture (1, 3, H, W), its damage and the generator -> the bad picture.
        parameters: names of what is drawn.
    """

    sides: tuple[str, str]
    config: type[BaseModel]
    draw: Callable[[int, Any, torch.Generator], SampledParameters]
    apply: Callable[[Tensor, Any, torch.Generator], Tensor]
    parameters: tuple[str, ...]


PROTOCOLS: dict[ProtocolName, Protocol] = {
    "frr": Protocol(
        ("light", "dark"),
        frr.FRRConfig,
        lambda _, config, generator: frr.sample_frr(1, config, generator, "cpu", torch.float64),
        frr.apply_frr,
        frr.PARAMETERS,
    ),
    "blind": Protocol(
        ("good", "bad"),
        blind.BlindConfig,
        lambda side, config, generator: blind.sample_blind(1, side, config, generator, "cpu", torch.float64),
        blind.apply_blind,
        blind.PARAMETERS,
    ),
}


@dataclass(frozen=True, slots=True)
class DamageSettings:
    """What a set is built with.

    Attributes:
        protocol: kind of the damage.
        size: side of the square pictures in pixels; None keeps the native size and shape.
        seed: of the whole set; every picture's generator is made from it and the picture's name.
        config: the ranges of the damage; None: the protocol's own.
    """

    protocol: ProtocolName
    size: int | None = 256
    seed: int = 0
    config: BaseModel | None = None

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise SettingError(f"size must be 1 or more, got {self.size}")
        expected = PROTOCOLS[self.protocol].config
        if self.config is not None and not isinstance(self.config, expected):
            raise SettingError(f"{self.protocol} takes its ranges from {expected.__name__}")

    @property
    def ranges(self) -> BaseModel:
        """Those of the damage."""
        return PROTOCOLS[self.protocol].config() if self.config is None else self.config


@dataclass(frozen=True, slots=True, eq=False)
class DamagedPair:
    """One pair: `good` and `bad`, (H, W, 3) uint8 RGB, and the numbers that made the one of the other."""

    name: str
    good: Pixels
    bad: Pixels
    parameters: Mapping[str, float | int]
    source_sha256: str


def build_damaged_pair(data: bytes, name: str, settings: DamageSettings) -> DamagedPair:
    """Build the pair of one picture.

    Args:
        data: the bytes of the picture file.
        name: its path inside the source; seeds the damage, together with `settings.seed`.

    Raises:
        InputError: not a picture, or smaller than `size` (an enlarged picture is no ground truth).
    """
    protocol = PROTOCOLS[settings.protocol]
    good = ground_truth(decode_rgb8(data, name), name, settings.size)
    generator = torch.Generator().manual_seed(picture_seed(settings.seed, name) >> 192)  # it takes 64 bits
    parameters = protocol.draw(max(good.shape[:2]), settings.ranges, generator)
    exact = torch.from_numpy(good.copy()).permute(2, 0, 1)[None].double() / 255.0
    levels = protocol.apply(exact, parameters, generator)[0] * 255.0
    bad = levels.round().permute(1, 2, 0).numpy().astype(np.uint8)
    return DamagedPair(name, good, bad, parameters.of(0), hashlib.sha256(data).hexdigest())


def damaged_pairs(source: PictureSource, settings: DamageSettings) -> Iterator[DamagedPair]:
    """Build pairs in memory, one by one, for an evaluation that needs no files."""
    for name, data in source.items():
        yield build_damaged_pair(data, name, settings)


def build_damaged(
    source: PictureSource | Paths,
    out: str | Path,
    settings: DamageSettings,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Build OUT/GOOD/*.png, OUT/BAD/*.png and OUT/manifest.jsonl, the folders called as the protocol's sides;
    see `pair_files.build_pairs`."""
    good, bad = sides = PROTOCOLS[settings.protocol].sides

    def build(data: bytes, name: str) -> tuple[Mapping[str, Pixels], Record]:
        pair = build_damaged_pair(data, name, settings)
        return {good: pair.good, bad: pair.bad}, dict(pair.parameters)

    record = {
        "protocol": settings.protocol,
        "seed": settings.seed,
        "size": settings.size,
        "ranges": settings.ranges.model_dump(mode="json"),
    }
    return build_pairs(source, out, PairKind(sides, record, build), progress)


def load_damaged(folder: str | Path, protocol: ProtocolName) -> Iterator[DamagedPair]:
    """The pairs of a set on disk, in the manifest's order, each checked against its hashes.

    Raises:
        InputError: no manifest, a set of another kind, or pixels that are not those of the manifest.
    """
    known = PROTOCOLS[protocol]
    good, bad = known.sides
    for record, pixels in load_pairs(folder, known.sides):
        parameters = {name: record[name] for name in known.parameters}
        yield DamagedPair(record["source"], pixels[good], pixels[bad], parameters, record["source_sha256"])

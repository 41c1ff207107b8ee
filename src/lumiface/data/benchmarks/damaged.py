"""Test sets whose degradation keeps the size: pairs of a clean and a degraded face.

For each picture, as for the LLF benchmark: decode; crop the centre square and reduce it to `size` (or keep
the native size); round to 8 bits: the clean image. Degrade it by a protocol: the degraded image.

    frr     dark, blurred, noisy, compressed (`degradations.frr`)
    blind   blurred, reduced, noisy, compressed, shifted in colour (`degradations.blind`)
    dark-blind   the same after darkening, with a sensor's noise (`degradations.dark_blind`)

Every picture has its own random generator, seeded by (seed, name), so pictures do not depend on their order
or on the subset. The arithmetic is float64 on the CPU, rounded to 8 bits before and after JPEG. One
installation therefore always builds equal bytes; another processor or version of torch differs in the
sixteenth digit, which changes a level or a JPEG coefficient only in the rare case of a value at a rounding
boundary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel
from torch import Tensor

from lumiface.core.errors import SettingError
from lumiface.data.benchmarks.ground_truth import ground_truth, picture_seed, require_size
from lumiface.data.benchmarks.pair_files import (
    PairKind,
    Pixels,
    Record,
    build_pairs,
    load_pairs,
    read_built,
)
from lumiface.data.sources import Paths, PictureSource
from lumiface.degradations import blind, dark_blind, frr
from lumiface.degradations.parameters import SampledParameters
from lumiface.imaging.io import decode_rgb8
from lumiface.imaging.quantize import to_uint8

ProtocolName = Literal["frr", "blind", "dark-blind"]


@dataclass(frozen=True, slots=True)
class Protocol:
    """One kind of degradation.

    Attributes:
        sides: names of the folders of clean and degraded images.
        config: class of its ranges.
        sample: size of the picture, ranges and generator -> parameters of one picture, in float64.
        apply: picture (1, 3, H, W), its parameters and the generator -> the degraded picture.
        parameters: names of the sampled parameters.
        optional: names of those of parts that are off by default.
    """

    sides: tuple[str, str]
    config: type[BaseModel]
    sample: Callable[[int, Any, torch.Generator], SampledParameters]
    apply: Callable[[Tensor, Any, torch.Generator], Tensor]
    parameters: tuple[str, ...]
    optional: tuple[str, ...] = ()


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
        lambda size, config, generator: blind.sample_blind(1, size, config, generator, "cpu", torch.float64),
        blind.apply_blind,
        blind.PARAMETERS,
        blind.OPTIONAL,
    ),
    "dark-blind": Protocol(
        ("good", "bad"),
        dark_blind.DarkBlindConfig,
        lambda size, config, generator: dark_blind.sample_dark_blind(
            1, size, config, generator, "cpu", torch.float64
        ),
        dark_blind.apply_dark_blind,
        dark_blind.PARAMETERS,
        blind.OPTIONAL,
    ),
}


@dataclass(frozen=True, slots=True)
class DamageSettings:
    """The settings of a set.

    Attributes:
        protocol: kind of degradation.
        size: of the square pictures, pixels; None keeps the native size and shape.
        seed: of the whole set; every picture's generator is seeded by it and the picture's name.
        config: the ranges of the degradation; None: the protocol's defaults.
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
            raise SettingError(f"the ranges of {self.protocol} must be a {expected.__name__}")

    @property
    def ranges(self) -> BaseModel:
        """The ranges of the degradation."""
        return PROTOCOLS[self.protocol].config() if self.config is None else self.config


@dataclass(frozen=True, slots=True, eq=False)
class DamagedPair:
    """One pair: `clean` and `degraded`, (H, W, 3) uint8 RGB, and the parameters of the degradation."""

    name: str
    clean: Pixels
    degraded: Pixels
    parameters: Mapping[str, float | int]
    source_sha256: str


def build_damaged_pair(data: bytes, name: str, settings: DamageSettings) -> DamagedPair:
    """Build the pair of one picture.

    Args:
        data: the bytes of the image file.
        name: its path inside the source; seeds the degradation, together with `settings.seed`.

    Raises:
        InputError: not an image, or smaller than `size` (an enlarged picture is no ground truth).
    """
    protocol = PROTOCOLS[settings.protocol]
    clean = ground_truth(decode_rgb8(data, name), name, settings.size)
    generator = torch.Generator().manual_seed(picture_seed(settings.seed, name) >> 192)  # 64 of 256 bits
    parameters = protocol.sample(max(clean.shape[:2]), settings.ranges, generator)
    exact = torch.from_numpy(clean.copy()).permute(2, 0, 1)[None].double() / 255.0
    degraded = to_uint8(protocol.apply(exact, parameters, generator)[0]).permute(1, 2, 0).numpy()
    return DamagedPair(name, clean, degraded, parameters.as_dict(0), hashlib.sha256(data).hexdigest())


def damage_check(settings: DamageSettings) -> Callable[[bytes, str], None]:
    """A function of bytes and name that raises an InputError for a picture of which no pair can be built."""
    return lambda data, name: require_size(decode_rgb8(data, name), name, settings.size)


def damaged_pairs(source: PictureSource, settings: DamageSettings) -> Iterator[DamagedPair]:
    """Build pairs in memory, one by one, for an evaluation that needs no files."""
    for name, data in source.items():
        yield build_damaged_pair(data, name, settings)


def build_damaged(
    source: PictureSource | Paths,
    out: str | Path,
    settings: DamageSettings,
    progress: Callable[[int, int], None] | None = None,
    *,
    skip_bad: bool | None = None,
    log: Callable[[str], None] = print,
) -> Path:
    """Build OUT/CLEAN/*.png, OUT/DEGRADED/*.png and OUT/manifest.jsonl; the folders have the names of the
    protocol's `sides`; see `pair_files.build_pairs`."""
    clean, degraded = sides = PROTOCOLS[settings.protocol].sides

    def build(data: bytes, name: str) -> tuple[Mapping[str, Pixels], Record]:
        pair = build_damaged_pair(data, name, settings)
        return {clean: pair.clean, degraded: pair.degraded}, dict(pair.parameters)

    record = {
        "protocol": settings.protocol,
        "seed": settings.seed,
        "size": settings.size,
        "ranges": settings.ranges.model_dump(mode="json"),
    }
    kind = PairKind(sides, record, build, damage_check(settings))
    return build_pairs(source, out, kind, progress, skip_bad=skip_bad, log=log)


def built_damage(folder: str | Path, protocol: ProtocolName) -> tuple[DamageSettings, int]:
    """The settings of a set on disk, and the number of its pairs.

    Raises:
        InputError: no manifest, an empty or a damaged one, or one of another protocol.
    """

    def read(record: Record) -> DamageSettings:
        ranges = PROTOCOLS[protocol].config.model_validate(record["ranges"])
        return DamageSettings(protocol, record["size"], record["seed"], ranges)

    return read_built(folder, protocol, read)


def load_damaged(folder: str | Path, protocol: ProtocolName) -> Iterator[DamagedPair]:
    """The pairs of a set on disk, in the manifest's order, each checked against its hashes.

    Raises:
        InputError: no manifest, a set of another kind, or pixels that do not match the manifest.
    """
    names_of = PROTOCOLS[protocol]
    sides = clean, degraded = names_of.sides
    for record, pixels in load_pairs(folder, sides):
        names = [*names_of.parameters, *(name for name in names_of.optional if name in record)]
        parameters = {name: record[name] for name in names}
        source_sha256 = record["source_sha256"]
        yield DamagedPair(record["source"], pixels[clean], pixels[degraded], parameters, source_sha256)

"""Test sets of the FRR-style degradation: normally lit faces, and the same made dark and bad, of one size.

Pair by pair, as the LLF benchmark does: decode; crop the middle square and reduce it to `size` (or keep the
native size); round to 8 bits: this is the light side. Degrade it (`degradations.frr`): this is the dark side.

Every picture has a random generator of its own, seeded by (seed, name): neither order nor subset matters.
The arithmetic is float64 on the CPU, and its results are rounded to 8 bits before JPEG and after. One
installation therefore builds equal bytes always; another processor or torch differs in the sixteenth digit,
which a rounding would have to meet by chance: then, and only then, one level or one JPEG coefficient moves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from lumiface.data.ground_truth import ground_truth, picture_seed
from lumiface.data.pair_files import PairKind, Pixels, Record, build_pairs, load_pairs
from lumiface.data.sources import Paths, PictureSource
from lumiface.degradations.frr import PARAMETERS, FRRConfig, apply_frr, draw_frr
from lumiface.errors import SettingError
from lumiface.image import decode_rgb8

SIDES = ("light", "dark")


@dataclass(frozen=True, slots=True)
class FRRSettings:
    """What a set is built with.

    Attributes:
        size: side of the square pictures in pixels; None keeps the native size and shape.
        seed: of the whole set; every picture's generator is made from it and the picture's name.
        config: the ranges of the damage.
    """

    size: int | None = 256
    seed: int = 0
    config: FRRConfig = field(default_factory=FRRConfig)

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise SettingError(f"size must be 1 or more, got {self.size}")


@dataclass(frozen=True, slots=True, eq=False)
class FRRPair:
    """One pair: `light` and `dark`, (H, W, 3) uint8 RGB, and the numbers that made the one of the other."""

    name: str
    light: Pixels
    dark: Pixels
    parameters: Mapping[str, float | int]
    source_sha256: str


def build_frr_pair(data: bytes, name: str, settings: FRRSettings) -> FRRPair:
    """Build the pair of one picture.

    Args:
        data: the bytes of the picture file.
        name: its path inside the source; seeds the damage, together with `settings.seed`.

    Raises:
        InputError: not a picture, or smaller than `size` (an enlarged picture is no ground truth).
    """
    light = ground_truth(decode_rgb8(data, name), name, settings.size)
    generator = torch.Generator().manual_seed(picture_seed(settings.seed, name) >> 192)  # it takes 64 bits
    parameters = draw_frr(1, settings.config, generator, "cpu", torch.float64)
    exact = torch.from_numpy(light.copy()).permute(2, 0, 1)[None].double() / 255.0
    levels = apply_frr(exact, parameters, generator)[0] * 255.0
    dark = levels.round().permute(1, 2, 0).numpy().astype(np.uint8)
    return FRRPair(name, light, dark, parameters.of(0), hashlib.sha256(data).hexdigest())


def frr_pairs(source: PictureSource, settings: FRRSettings) -> Iterator[FRRPair]:
    """Build pairs in memory, one by one, for an evaluation that needs no files."""
    for name, data in source.items():
        yield build_frr_pair(data, name, settings)


def build_frr(
    source: PictureSource | Paths,
    out: str | Path,
    settings: FRRSettings,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Build OUT/light/*.png, OUT/dark/*.png and OUT/manifest.jsonl; see `pair_files.build_pairs`."""

    def build(data: bytes, name: str) -> tuple[Mapping[str, Pixels], Record]:
        pair = build_frr_pair(data, name, settings)
        return {"light": pair.light, "dark": pair.dark}, dict(pair.parameters)

    record = {
        "protocol": "frr",
        "seed": settings.seed,
        "size": settings.size,
        "ranges": settings.config.model_dump(mode="json"),
    }
    return build_pairs(source, out, PairKind(SIDES, record, build), progress)


def load_frr(folder: str | Path) -> Iterator[FRRPair]:
    """The pairs of a set on disk, in the manifest's order, each checked against its hashes.

    Raises:
        InputError: no manifest, a set of another kind, or pixels that are not those of the manifest.
    """
    for record, pixels in load_pairs(folder, SIDES):
        parameters = {name: record[name] for name in PARAMETERS}
        yield FRRPair(record["source"], pixels["light"], pixels["dark"], parameters, record["source_sha256"])

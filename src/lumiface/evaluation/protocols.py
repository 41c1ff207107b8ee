"""The benchmarks that `evaluate` and `compare` know: how each is built, sized and measured.

llf          darkened, then reduced (LFSRNet, section 3.1)
frr          dark, blurred, noisy, compressed, at full size (prior3d, section 4.1)
blind        blurred, reduced, noisy, compressed, at full size (fusion_bfr, section 2.1)
dark-blind   the same after darkening
real         pictures as they are, without ground truth: metrics of single pictures alone
real-faces   likewise, the largest face of each photograph, aligned
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from lumiface.core.errors import SettingError
from lumiface.data.benchmarks.damaged import (
    PROTOCOLS,
    DamageSettings,
    ProtocolName,
    built_damage,
    damage_check,
    damaged_pairs,
    load_damaged,
)
from lumiface.data.benchmarks.ground_truth import ground_truth
from lumiface.data.benchmarks.llf import LLFSettings, llf_check, llf_pairs
from lumiface.data.benchmarks.llf_files import MANIFEST, SIDES, built_settings, load_llf
from lumiface.data.benchmarks.pair_files import protocol_of, read_records
from lumiface.data.faults import Faults, usable_pictures
from lumiface.data.sources import PictureSource, open_source
from lumiface.faces.align import crop_face, face_matrix, native_side
from lumiface.faces.detectors.detect import FaceDetector
from lumiface.faces.find import find_faces
from lumiface.imaging.io import decode_rgb8
from lumiface.imaging.quantize import from_uint8, to_uint8

BenchmarkName = Literal["llf", "frr", "blind", "dark-blind", "real", "real-faces"]
Pixels = npt.NDArray[np.uint8]
Source = str | Path | list[str | Path]
"""Folder, tar, picture, or several of them."""

MIN_FACE = 32
"""Smallest face of a photograph that `real-faces` takes, pixels."""


@dataclass(frozen=True, slots=True)
class BenchmarkSpec:
    """One benchmark.

    Attributes:
        metrics: of its table, in order; the first is that of the ranking.
        hr_size: default size of the clean pictures, pixels; 0: each picture's own.
        scale: default size of the clean picture over that of the input.
        text: what is done to the pictures, for a table's heading.
    """

    metrics: tuple[str, ...]
    hr_size: int
    scale: int
    text: str


_DAMAGED = ("psnr_y", "ssim_y", "lpips_squeeze", "identity_edgeface", "niqe", "brisque")

BENCHMARKS: dict[BenchmarkName, BenchmarkSpec] = {
    "llf": BenchmarkSpec(
        ("psnr_y", "ssim_y", "lpips_squeeze", "landmark_px"), 128, 4, "darkened, then reduced"
    ),
    "frr": BenchmarkSpec(_DAMAGED, 256, 1, "dark, blurred, noisy, compressed"),
    "blind": BenchmarkSpec((*_DAMAGED, "fd_squeezenet"), 256, 1, "blurred, reduced, noisy, compressed"),
    "dark-blind": BenchmarkSpec((*_DAMAGED, "fd_squeezenet"), 256, 1, "darkened, then damaged"),
    "real": BenchmarkSpec(("niqe", "brisque"), 256, 1, "as they are"),
    "real-faces": BenchmarkSpec(("niqe", "brisque"), 256, 1, "largest face, aligned"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One picture of a benchmark: (H, W, 3) uint8 RGB each.

    Attributes:
        target: the ground truth; None where there is none.
        parameters: of a synthetic degradation.
    """

    name: str
    input: Pixels
    target: Pixels | None
    parameters: Mapping[str, float | int]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the output."""
        height, width = (self.input if self.target is None else self.target).shape[:2]
        return height, width


@dataclass(frozen=True, slots=True)
class Benchmark:
    """An opened benchmark.

    Attributes:
        settings: with which it is built, for the files.
        scale: upscaling factor that a network must have.
        seed: of the degradation.
        cases: built (or read from a folder that was built) one by one.
        count: of the cases; None where it is not known in advance.
    """

    name: BenchmarkName
    settings: dict[str, Any]
    scale: int
    seed: int
    cases: Iterable[Case]
    count: int | None


def find_benchmark(name: str) -> tuple[BenchmarkName, BenchmarkSpec]:
    """A benchmark by its name.

    Raises:
        SettingError: there is none of this name.
    """
    for known in get_args(BenchmarkName):
        if name == known:
            return known, BENCHMARKS[known]
    raise SettingError(f"--protocol {name}: choose {', '.join(BENCHMARKS)}")


def clean_pictures(folder: str | Path) -> Path | None:
    """The folder of the ground truth of a set that `lumiface degrade` built; None where it is no such set.

    Raises:
        InputError: its manifest is damaged.
    """
    if (built := _built_folder(folder)) is None:
        return None
    first = next(iter(read_records(built / MANIFEST).values()), {})
    protocol: Any = protocol_of(first)
    return built / (SIDES[0] if protocol == "llf" else PROTOCOLS[protocol].sides[0])


def open_benchmark(
    protocol: str,
    source: Source,
    *,
    hr_size: int | None,
    scale: int | None,
    seed: int | None,
    limit: int | None,
    faults: Faults,
) -> Benchmark:
    """Open a benchmark on faces (folders, tars, pictures), or a folder that `lumiface degrade` built.

    Args:
        hr_size: size of the clean pictures, pixels, 0 for each picture's own; None: the protocol's default,
            or the built folder's. Likewise `scale` and `seed` (0).
        limit: number of pictures, from the first on.

    Raises:
        InputError: the data cannot be read; the message names all pictures that cannot be used.
        SettingError: there is no such protocol, it keeps the size and `scale` is not 1, or settings
            contradict those of the built folder.
    """
    name, spec = find_benchmark(protocol)
    scale = spec.scale if scale is None and name != "llf" else scale
    if name != "llf" and scale != 1:
        raise SettingError(f"protocol {name} keeps the size; leave scale {scale} out")
    options = {"hr_size": hr_size, "scale": scale, "seed": seed}
    if name == "llf":
        return _llf(source, options, limit, faults)
    if name == "real" or name == "real-faces":
        return _real(name, source, spec.hr_size if hr_size is None else hr_size, limit, faults)
    return _damaged(name, source, options, limit, faults)


def _llf(
    source: Source,
    options: Mapping[str, int | None],
    limit: int | None,
    faults: Faults,
) -> Benchmark:
    requested: dict[str, Any] = {key: value for key, value in options.items() if value is not None}
    if options["hr_size"] == 0:
        requested["hr_size"] = None
    if (folder := _built_folder(source)) is not None:
        settings, count = built_settings(folder)
        _require_equal(folder, requested, asdict(settings))
        pairs = load_llf(folder)
    else:
        settings = replace(LLFSettings(), **requested)
        faces = _usable(source, limit, llf_check(settings), faults)
        pairs, count = llf_pairs(faces, settings), len(faces)
    cases = (Case(pair.name, pair.lr, pair.hr, asdict(pair.darkening)) for pair in pairs)
    return Benchmark("llf", asdict(settings), settings.scale, settings.seed, cases, count)


def _damaged(
    name: ProtocolName,
    source: Source,
    options: Mapping[str, int | None],
    limit: int | None,
    faults: Faults,
) -> Benchmark:
    requested: dict[str, Any] = {}
    if options["hr_size"] is not None:
        requested["size"] = options["hr_size"] or None
    if options["seed"] is not None:
        requested["seed"] = options["seed"]
    if (folder := _built_folder(source)) is not None:
        settings, count = built_damage(folder, name)
        _require_equal(folder, requested, {"size": settings.size, "seed": settings.seed})
        pairs = load_damaged(folder, name)
    else:
        settings = replace(DamageSettings(name), **requested)
        faces = _usable(source, limit, damage_check(settings), faults)
        pairs, count = damaged_pairs(faces, settings), len(faces)
    cases = (Case(pair.name, pair.degraded, pair.clean, pair.parameters) for pair in pairs)
    shown = {"hr_size": settings.size, "scale": 1, "seed": settings.seed}
    return Benchmark(
        name, shown | {"ranges": settings.ranges.model_dump(mode="json")}, 1, settings.seed, cases, count
    )


def _real(
    name: BenchmarkName,
    source: Source,
    size: int,
    limit: int | None,
    faults: Faults,
) -> Benchmark:
    pictures = _usable(source, limit, _decodes, faults)
    cases = _faces(pictures, size) if name == "real-faces" else _squares(pictures, size)
    return Benchmark(name, {"hr_size": size or None, "scale": 1}, 1, 0, cases, len(pictures))


def _squares(pictures: PictureSource, size: int) -> Iterator[Case]:
    """The centre square of each picture, reduced to `size`; 0: the picture itself."""
    for file, data in pictures.items():
        yield Case(file, ground_truth(decode_rgb8(data, file), file, size or None), None, {})


def _faces(pictures: PictureSource, size: int) -> Iterator[Case]:
    """The largest face of each photograph, aligned; photographs without a face are left out."""
    detector = FaceDetector(min_face=MIN_FACE).eval()
    for file, data in pictures.items():
        picture = from_uint8(decode_rgb8(data, file).copy())
        main = max(
            find_faces(picture, detector, which="all", min_face=MIN_FACE), key=native_side, default=None
        )
        if main is not None:
            face = to_uint8(crop_face(picture, face_matrix(main), size))[0].permute(1, 2, 0).numpy()
            yield Case(file, face, None, {})


def _usable(
    source: Source,
    limit: int | None,
    check: Callable[[bytes, str], None],
    faults: Faults,
) -> PictureSource:
    faces = open_source(source)
    return usable_pictures(faces if limit is None else faces.first(limit), check, faults)


def _decodes(data: bytes, name: str) -> None:
    decode_rgb8(data, name)


def _built_folder(source: Source) -> Path | None:
    """The source as a folder that `lumiface degrade` built; None where it is none."""
    if isinstance(source, str | Path) and (Path(source) / MANIFEST).is_file():
        return Path(source)
    return None


def _require_equal(folder: Path, requested: Mapping[str, Any], built: Mapping[str, Any]) -> None:
    for key, value in requested.items():
        if value != built[key]:
            raise SettingError(f"{folder} was built with {key} {built[key]}, not {value}; leave {key} out")
